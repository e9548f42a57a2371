"""Whether measurements made for the purpose confirm that a suspected test has become slower.

The median ratio must reach MIN_FACTOR, and the new values must exceed the earlier ones significantly by an
exact one-sided rank test (Mann and Whitney, Annals of Mathematical Statistics 18, 1947). Control tests, which
are not suspected, run in the same processes: their median ratio corrects for the machine's momentary speed.
"""

import functools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tdd_monitor.history.rows import Figures

from .compared import MIN_FACTOR, MIN_MS, NOISY
from .regressions import Judgement, State, Verdict

SIGNIFICANCE = 0.002
ENOUGH_EARLIER = 7  # values, for five new ones to be significant
FEW_ROUNDS, MANY_ROUNDS = 5, 7
MAX_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure again: each round is a fresh process that runs all these tests."""

    candidates: tuple[Verdict, ...]
    controls: Mapping[str, Figures]
    rounds: int

    @property
    def nodeids(self) -> tuple[str, ...]:
        """The tests of each round, controls first: they also pay for the first imports."""
        return tuple(dict.fromkeys([*self.controls, *(each.nodeid for each in self.candidates)]))


def plan(judgement: Judgement) -> Plan | None:
    """The confirmation that a judgement asks for; None if no duration is suspected."""
    candidates = tuple(each for each in judgement.of(State.SUSPECTED) if each.earlier)[:MAX_CANDIDATES]
    if not candidates:
        return None
    fewest = min(len(each.earlier) for each in candidates)
    rounds = FEW_ROUNDS if fewest >= ENOUGH_EARLIER else MANY_ROUNDS
    return Plan(candidates, judgement.controls, rounds)


def decide(judgement: Judgement, planned: Plan, rounds: Sequence[Mapping[str, Figures]]) -> Judgement:
    """The judgement with every candidate decided. Each round has the figures of the tests that passed."""
    speeds = {metric: [_speed(planned.controls, found, metric) for found in rounds] for metric in NOISY}
    decided = {}
    for verdict in planned.candidates:
        value = NOISY[verdict.metric]
        new = [
            value(found[verdict.nodeid]) / speed
            for found, speed in zip(rounds, speeds[verdict.metric], strict=True)
            if verdict.nodeid in found
        ]
        decided[verdict.nodeid, verdict.metric] = _decided(verdict, new, planned.rounds)
    verdicts = [decided.get((each.nodeid, each.metric), each) for each in judgement.verdicts]
    states = dict(judgement.states)
    for each in planned.candidates:
        states[each.nodeid] = _worst(verdicts, each.nodeid)
    return replace(judgement, states=states, verdicts=tuple(v for v in verdicts if v.state is not State.OK))


def _worst(verdicts: Iterable[Verdict], nodeid: str) -> State:
    order = list(State)
    found = (verdict.state for verdict in verdicts if verdict.nodeid == nodeid)
    return max(found, key=order.index, default=State.OK)


def _speed(controls: Mapping[str, Figures], found: Mapping[str, Figures], metric: str) -> float:
    value = NOISY[metric]
    ratios = [
        value(found[nodeid]) / value(usual)
        for nodeid, usual in controls.items()
        if nodeid in found and value(usual) > 0 and value(found[nodeid]) > 0
    ]
    return statistics.median(ratios) if ratios else 1.0


def _decided(verdict: Verdict, new: Sequence[float], rounds: int) -> Verdict:
    if len(new) < rounds:
        evidence = f"not confirmed: it passed in {len(new)} of {rounds} repetitions"
        return replace(verdict, evidence=evidence)
    after = statistics.median(new)
    if after < verdict.before * MIN_FACTOR or after - verdict.before < MIN_MS:
        return replace(verdict, state=State.OK, after=after, evidence="repeated: as fast as before")
    p_value = rank_test(new, verdict.earlier)
    state = State.REGRESSED if p_value <= SIGNIFICANCE else State.SUSPECTED
    evidence = f"{rounds} repetitions against {len(verdict.earlier)} earlier runs, p = {p_value:.4f}"
    return replace(verdict, state=state, after=after, evidence=evidence)


def rank_test(new: Sequence[float], earlier: Sequence[float]) -> float:
    """The exact one-sided p-value that `new` is no greater than `earlier`; a tie counts against `new`."""
    not_greater = sum(value <= other for value in new for other in earlier)
    ways = sum(_arrangements(len(new), len(earlier), pairs) for pairs in range(not_greater + 1))
    return ways / math.comb(len(new) + len(earlier), len(new))


@functools.cache
def _arrangements(new: int, earlier: int, pairs: int) -> int:
    """In how many orders of both samples `pairs` pairs have the new value below the earlier one."""
    if pairs < 0:
        return 0
    if new == 0 or earlier == 0:
        return int(pairs == 0)
    # The smallest value is either a new one, below all earlier ones, or an earlier one, below none.
    return _arrangements(new - 1, earlier, pairs - earlier) + _arrangements(new, earlier - 1, pairs)
