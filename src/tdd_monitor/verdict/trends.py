"""Trends of one test's figures over its runs: changes of level and flakiness."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tdd_monitor.history.environment import Environment
from tdd_monitor.history.rows import RunRow
from tdd_monitor.history.store import Past

from .change_points import change_points
from .compared import EXACT, MIN_FACTOR, MIN_MS, NOISY

MAX_EXACT_CHANGES = 3  # a count that changes more often than this is not exact for this test


@dataclass(frozen=True, slots=True)
class Change:
    """A metric's level changed with `run`. `p_value` is 0 for counts, whose changes are certain."""

    metric: str
    before: float
    after: float
    run: RunRow
    p_value: float = 0.0


@dataclass(frozen=True, slots=True)
class Trend:
    """The runs of one test in one environment, oldest first."""

    environment: Environment
    past: tuple[Past, ...]
    changes: tuple[Change, ...]
    flaky_commits: tuple[str, ...]  # it passed and failed with the same files

    @property
    def comparable(self) -> list[Past]:
        """The runs in which the test passed at its first attempt."""
        return _comparable(self.past)


def of_test(past: Iterable[Past]) -> list[Trend]:
    """The trends of one test from its results, oldest first; the environment used last comes first."""
    groups: dict[Environment, list[Past]] = {}
    for each in past:
        groups.setdefault(each.run.environment, []).append(each)
    newest_first = sorted(groups.items(), key=lambda group: group[1][-1].run.started_s, reverse=True)
    return [_trend(environment, group) for environment, group in newest_first]


def _trend(environment: Environment, past: Sequence[Past]) -> Trend:
    comparable = _comparable(past)
    changes = [*_exact_changes(comparable), *_noisy_changes(comparable)]
    changes.sort(key=lambda change: change.run.started_s)
    return Trend(environment, tuple(past), tuple(changes), flaky_commits(past))


def _comparable(past: Iterable[Past]) -> list[Past]:
    return [each for each in past if each.result.comparable]


def flaky_commits(past: Iterable[Past]) -> tuple[str, ...]:
    """The commits on which the test both passed and failed, in order of their first run.

    Runs with uncommitted changes are left out. A test that passed only when it was rerun did
    both in one run.
    """
    outcomes: dict[str, set[str]] = {}
    for run, result in past:
        if run.commit.hash and not run.commit.dirty and result.outcome in ("passed", "failed", "error"):
            found = outcomes.setdefault(run.commit.hash, set())
            found.add("passed" if result.outcome == "passed" else "failed")
            if result.outcome == "passed" and result.attempts > 1:
                found.add("failed")
    return tuple(commit for commit, found in outcomes.items() if len(found) > 1)


def _exact_changes(past: Sequence[Past]) -> list[Change]:
    found = []
    for metric, value in EXACT.items():
        known = [(each.run, count) for each in past if (count := value(each.result.figures)) is not None]
        changes = [
            Change(metric, before, after, run)
            for (_, before), (run, after) in pairwise(known)
            if before != after
        ]
        if len(changes) <= MAX_EXACT_CHANGES:
            found += changes
    return found


def _noisy_changes(past: Sequence[Past]) -> list[Change]:
    found = []
    for metric, value in NOISY.items():
        for point in change_points([value(each.result.figures) for each in past]):
            low, high = sorted((point.before, point.after))
            if high > low * MIN_FACTOR and high - low > MIN_MS:
                run = past[point.start].run
                found.append(Change(metric, point.before, point.after, run, point.p_value))
    return found
