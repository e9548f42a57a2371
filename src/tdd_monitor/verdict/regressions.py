"""What a run made worse or better, compared with earlier runs in the same environment.

Counts are exact: any increase is real. Durations vary, so that a slow value only makes a test suspected;
`confirmation` decides, with measurements made for it. Every value is first corrected for the speed of its
whole run, because a busy machine slows all tests down.
"""

import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

from tdd_monitor.history.rows import Figures, Result
from tdd_monitor.history.store import Window

from .compared import EXACT, MIN_FACTOR, MIN_MS, NOISY

MIN_SAMPLES = 5  # earlier values; with fewer, only thresholds judge
MIN_TESTS = 8  # in common with earlier runs; fewer do not tell how fast the run was
SLOW_RUN = 1.25
MAX_CONTROLS = 10
CONTROL_NS = 20_000_000  # the best duration of a control


class State(StrEnum):
    """What is known about a test, compared with earlier runs; the worst comes last."""

    LEARNING = "learning"
    OK = "ok"
    IMPROVED = "improved"
    SUSPECTED = "suspected"
    REGRESSED = "regressed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One metric of one test that changed. Durations are in ms, as the metric's name says."""

    nodeid: str
    metric: str
    state: State
    before: float
    after: float
    evidence: str  # why, and how sure it is
    earlier: tuple[float, ...] = ()  # durations of earlier runs, corrected for their speed


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one run shows about its tests.

    `shift` is the speed of the whole run: 1.3 means that a typical test took 1.3 times as long as usual; None
    if there are too few earlier runs or tests. `states` has every test that could be compared at all,
    `controls` the usual figures of a few that are not suspected.
    """

    shift: float | None = None
    states: Mapping[str, State] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    controls: Mapping[str, Figures] = field(default_factory=dict)

    @property
    def whole_run_slow(self) -> bool:
        """The machine, or all tests, were clearly slower than usual."""
        return self.shift is not None and self.shift > SLOW_RUN

    def without(self, nodeids: Collection[str]) -> "Judgement":
        """The same after the figures of these tests were accepted."""
        accepted = dict.fromkeys(self.states.keys() & set(nodeids), State.LEARNING)
        left = tuple(verdict for verdict in self.verdicts if verdict.nodeid not in nodeids)
        return replace(self, states={**self.states, **accepted}, verdicts=left)

    def of(self, state: State) -> list[Verdict]:
        """The verdicts of this state, greatest change first."""
        found = [verdict for verdict in self.verdicts if verdict.state is state]
        return sorted(found, key=_importance, reverse=True)


def _importance(verdict: Verdict) -> tuple[bool, float]:
    return verdict.metric in EXACT, abs(verdict.after - verdict.before)


def judge(results: Iterable[Result], window: Window, accepted: Mapping[str, Figures]) -> Judgement:
    """Compare the results of one run with earlier ones and with the accepted figures of each test."""
    comparable = {result.nodeid: result.figures for result in results if result.comparable}
    known = {nodeid: window[nodeid] for nodeid in comparable if len(window.get(nodeid, ())) >= MIN_SAMPLES}
    verdicts = list(_exact(comparable, known, accepted))
    durations = {metric: _Durations(metric, comparable, known) for metric in NOISY}
    slower = _worst_per_test(each for found in durations.values() for each in found.slower(accepted))
    verdicts += slower
    states = {nodeid: State.OK if nodeid in known else State.LEARNING for nodeid in comparable}
    for verdict in verdicts:
        if list(State).index(verdict.state) > list(State).index(states[verdict.nodeid]):
            states[verdict.nodeid] = verdict.state
    shift = durations["test_duration_ms"].shift
    return Judgement(shift, states, tuple(verdicts), _controls(known, states))


def _controls(known: Window, states: Mapping[str, State]) -> dict[str, Figures]:
    """Usual figures of unchanged tests: long enough to be measured well, and no longer than necessary."""
    usual = {
        nodeid: baseline(earlier.values()) for nodeid, earlier in known.items() if states[nodeid] is State.OK
    }
    nearest = sorted(usual, key=lambda nodeid: abs(_log(usual[nodeid].wall_ns / CONTROL_NS)))
    return {nodeid: usual[nodeid] for nodeid in nearest[:MAX_CONTROLS]}


def baseline(window: Collection[Figures]) -> Figures:
    """The figures that stand for a test: medians of durations and memory, the greatest count."""

    def greatest(name: str) -> int | None:
        return max((v for each in window if (v := getattr(each, name)) is not None), default=None)

    typical = [int(statistics.median(column)) for column in zip(*(each[:3] for each in window), strict=True)]
    return Figures(*typical, *(greatest(name) for name in Figures._fields[3:]))


def to_accept(window: Window, accepted: Mapping[str, Figures]) -> list[tuple[str, Figures]]:
    """The tests whose baseline sets itself: the first one, and lower counts once they have proved to last."""
    found = []
    for nodeid, earlier in window.items():
        newest = list(earlier.values())[-MIN_SAMPLES:]
        if len(newest) < MIN_SAMPLES:
            continue
        typical, now = baseline(newest), accepted.get(nodeid)
        if now is None:
            found.append((nodeid, typical))
        elif lower := _lower_counts(typical, now):
            found.append((nodeid, now._replace(**lower)))
    return found


def _lower_counts(typical: Figures, accepted: Figures) -> dict[str, int]:
    fields = {"queries", "ddl", "pool_peak", "leaked"}
    pairs = {name: (getattr(typical, name), getattr(accepted, name)) for name in fields}
    return {name: new for name, (new, old) in pairs.items() if new is not None and (old is None or new < old)}


def _exact(
    comparable: Mapping[str, Figures], known: Window, accepted: Mapping[str, Figures]
) -> Iterator[Verdict]:
    for nodeid, figures in comparable.items():
        for metric, value in EXACT.items():
            after = value(figures)
            earlier = [v for each in known.get(nodeid, {}).values() if (v := value(each)) is not None]
            limit = value(accepted[nodeid]) if nodeid in accepted else None
            if limit is None and len(earlier) >= MIN_SAMPLES:
                limit = max(earlier)
            if after is not None and limit is not None and after != limit:
                yield from _of_count(nodeid, metric, earlier, limit, after)


def _of_count(nodeid: str, metric: str, earlier: list[int], limit: int, after: int) -> Iterator[Verdict]:
    if sum(a != b for a, b in pairwise(earlier)) > 1:  # a change and its return, or more
        if after > max(limit, *earlier):
            evidence = f"{min(earlier)} to {max(earlier)} in {len(earlier)} runs: not exact for this test"
            yield Verdict(nodeid, metric, State.SUSPECTED, max(limit, *earlier), after, evidence)
    else:
        state = State.REGRESSED if after > limit else State.IMPROVED
        yield Verdict(nodeid, metric, state, limit, after, f"exact: the baseline is {limit}")


def _worst_per_test(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """A test that computes longer also takes longer: one verdict is enough."""
    worst: dict[str, Verdict] = {}
    for verdict in verdicts:
        other = worst.get(verdict.nodeid)
        if other is None or verdict.after / verdict.before > 1.05 * other.after / other.before:
            worst[verdict.nodeid] = verdict
    return list(worst.values())


class _Durations:
    """One kind of duration of all tests, as logarithms corrected for the speed of each run."""

    def __init__(self, metric: str, comparable: Mapping[str, Figures], known: Window) -> None:
        self._metric = metric
        value = NOISY[metric]
        raw = {
            nodeid: {run: _log(value(figures)) for run, figures in earlier.items()}
            for nodeid, earlier in known.items()
        }
        typical = {nodeid: statistics.median(values.values()) for nodeid, values in raw.items()}
        deviations: dict[int, list[float]] = {}
        for nodeid, values in raw.items():
            for run, logarithm in values.items():
                deviations.setdefault(run, []).append(logarithm - typical[nodeid])
        speeds = {run: _speed(found) for run, found in deviations.items()}
        self._earlier = {
            nodeid: sorted(logarithm - (speeds[run] or 0.0) for run, logarithm in values.items())
            for nodeid, values in raw.items()
        }
        latest = {nodeid: _log(value(comparable[nodeid])) for nodeid in known}
        speed = _speed([latest[nodeid] - statistics.median(self._earlier[nodeid]) for nodeid in known])
        self.shift = None if speed is None else math.exp(speed)
        self._latest = {nodeid: logarithm - (speed or 0.0) for nodeid, logarithm in latest.items()}

    def slower(self, accepted: Mapping[str, Figures]) -> Iterator[Verdict]:
        """The suspected tests."""
        drifts = {
            nodeid: self._drift(nodeid, accepted[nodeid])
            for nodeid in self._latest.keys() & accepted
            if accepted[nodeid].wall_ns  # committed baselines have only counts
        }
        machine = _speed(list(drifts.values())) or 0.0  # a machine that has become slower is no regression
        for nodeid, latest in self._latest.items():
            earlier = self._earlier[nodeid]
            before, after = math.exp(statistics.median(earlier)), math.exp(latest)
            # One slow outlier among the earlier values must not hide a change.
            if _worth_a_line(before, after) and latest > earlier[-2]:
                yield self._suspected(nodeid, before, after, f"above {len(earlier)} earlier runs but one")
            elif nodeid in drifts:
                before = NOISY[self._metric](accepted[nodeid])
                drifted = before * math.exp(drifts[nodeid] - machine)
                if _worth_a_line(before, drifted):
                    evidence = f"drifted: median of {len(earlier) + 1} runs, against the accepted baseline"
                    yield self._suspected(nodeid, before, drifted, evidence)

    def _drift(self, nodeid: str, accepted: Figures) -> float:
        typical = statistics.median([*self._earlier[nodeid], self._latest[nodeid]])
        return typical - _log(NOISY[self._metric](accepted))

    def _suspected(self, nodeid: str, before: float, after: float, evidence: str) -> Verdict:
        earlier = tuple(math.exp(logarithm) for logarithm in self._earlier[nodeid])
        return Verdict(nodeid, self._metric, State.SUSPECTED, before, after, evidence, earlier)


def _log(duration_ms: float) -> float:
    return math.log(max(duration_ms, 1e-6))


def _speed(deviations: list[float]) -> float | None:
    return statistics.median(deviations) if len(deviations) >= MIN_TESTS else None


def _worth_a_line(before: float, after: float) -> bool:
    return after > before * MIN_FACTOR and after - before > MIN_MS
