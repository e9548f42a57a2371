"""Read-only queries on a Session: filter, sort, percentiles, progress, tests to rerun."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tdd_monitor import figures

from . import metrics
from .model import FAILURES, NO_TESTS_COLLECTED, USAGE_ERROR, Item, ItemState, Run, RunState, Session

SortKey = Callable[[Item], tuple[float | str, ...]]


def _figure(item: Item, value: Callable[..., float]) -> float:
    return value(item.record) if item.record is not None else -math.inf


def _phase_ns(item: Item, when: str) -> float:
    part = metrics.phase(item.record, when) if item.record is not None else None
    return metrics.phase_ns(part) if part is not None else -1


_SEVERITY = {"lost": 0, "error": 1, "failed": 2, "xpassed": 3, "passed": 5, "xfailed": 6, "skipped": 7}

SORT_KEYS: dict[str, SortKey] = {
    "order": lambda item: (item.index,),
    "status": lambda item: (
        -1 if item.state is ItemState.RUNNING else _SEVERITY.get(item.outcome, 8),
        item.index,
    ),
    "name": lambda item: (item.nodeid,),
    "duration": lambda item: (-item.own_ns, item.index),
    "setup": lambda item: (-_phase_ns(item, "setup"), item.index),
    "call": lambda item: (-_phase_ns(item, "call"), item.index),
    "teardown": lambda item: (-_phase_ns(item, "teardown"), item.index),
    "memory": lambda item: (-_figure(item, metrics.memory_delta_bytes), item.index),
    "queries": lambda item: (-_figure(item, metrics.queries), item.index),
}


def matches(nodeid: str, pattern: str) -> bool:
    """Return whether the node id contains every word of `pattern`; words with capitals are case-sensitive.

    A word that starts with `!` must not be in it.
    """
    lowered = nodeid.lower()
    for word in pattern.split():
        wanted = not word.startswith("!")
        text = word.removeprefix("!")
        if text and ((text in (nodeid if text != text.lower() else lowered)) is not wanted):
            return False
    return True


def visible(
    session: Session,
    pattern: str = "",
    keep: Callable[[Item], bool] | None = None,
    sort: str = "order",
    reverse: bool = False,
) -> list[str]:
    """Return the node ids to show, filtered and sorted. `sort` is a key of SORT_KEYS."""
    chosen = [
        item
        for item in session.items.values()
        if (keep is None or keep(item)) and (not pattern or matches(item.nodeid, pattern))
    ]
    chosen.sort(key=SORT_KEYS[sort], reverse=reverse)
    return [item.nodeid for item in chosen]


def failed(session: Session) -> list[str]:
    """Return the node ids of tests that failed, errored or were lost, in collection order."""
    return visible(session, keep=lambda item: item.outcome in FAILURES)


def running(session: Session) -> list[str]:
    """Return the node ids of running tests."""
    return visible(session, keep=lambda item: item.state is ItemState.RUNNING)


@dataclass(frozen=True, slots=True)
class Durations:
    """Own durations of all finished tests."""

    count: int
    p50_ms: float
    p95_ms: float
    max_ms: float
    buckets: tuple[int, ...]  # counts below each edge of BUCKET_EDGES_MS; the last one above all of them


BUCKET_EDGES_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def has_duration(item: Item) -> bool:
    """Return whether the item ran (was not skipped) and has a duration."""
    return item.record is not None and item.outcome not in ("skipped", "")


def durations(session: Session) -> Durations:
    """Distribution of `test_duration_ms` over the items that ran."""
    return distribution([item.own_ns for item in session.items.values() if has_duration(item)])


def distribution(own_ns: Iterable[int]) -> Durations:
    """Distribution of durations given in nanoseconds."""
    values = sorted(own_ns)
    below = [bisect_left(values, edge * figures.NS_PER_MS) for edge in BUCKET_EDGES_MS]
    return Durations(
        len(values),
        figures.percentile(values, 0.5) / figures.NS_PER_MS,
        figures.percentile(values, 0.95) / figures.NS_PER_MS,
        (values[-1] if values else math.nan) / figures.NS_PER_MS,
        tuple(upper - lower for lower, upper in zip([0, *below], [*below, len(values)], strict=True)),
    )


def top(session: Session, figure: Callable[..., float], count: int) -> list[Item]:
    """Return the `count` items with the highest `figure` above zero, highest first."""
    ranked = [item for item in session.items.values() if item.record and figure(item.record) > 0]
    ranked.sort(key=lambda item: (-figure(item.record), item.index))
    return ranked[:count]


def elapsed_ns(session: Session, now_ns: int) -> int:
    """Return how long the current run has been running, or took; 0 without a run."""
    run = session.run
    if run is None or not run.requested_ns:
        return 0
    end_ns = max(now_ns, session.now_ns) if run.active else run.finished_ns
    return max(0, end_ns - run.requested_ns)


@dataclass(slots=True)
class Waiting:
    """The remaining tests: their number, and the expected time of those known from earlier runs."""

    known_ns: int = 0
    unknown: int = 0

    def add(self, item: Item) -> None:
        """Add a pending or running item."""
        if item.record is not None and item.own_ns >= 0:
            self.known_ns += item.own_ns
        else:
            self.unknown += 1


def eta_s(session: Session, now_ns: int) -> float | None:
    """Return the remaining seconds of the current run, or None if unknown."""
    waiting = Waiting()
    for item in session.items.values():
        if item.state in (ItemState.PENDING, ItemState.RUNNING):
            waiting.add(item)
    return eta_of(session, waiting, now_ns)


def eta_of(session: Session, waiting: Waiting, now_ns: int) -> float | None:
    """Return the remaining seconds of the current run, given the tests `waiting`.

    Remaining tests take as long as last time, unknown ones the mean of this run; workers share the time
    evenly. The time of shared fixtures counts once, for the test that sets them up.
    """
    run = session.run
    if run is None or not run.active or not run.expected or not run.started_ns:
        return None
    elapsed_ns = max(0, now_ns - run.started_ns)
    if waiting.unknown and not run.done:
        return None
    known_ns = waiting.known_ns
    for (_name, _scope, first_user, _baseid), shared in session.shared_fixtures.items():
        user = session.items.get(first_user)
        if user is not None and user.state is ItemState.PENDING:
            known_ns += shared.use.self_ns + shared.use.teardown_ns
    workers = sum(1 for worker in session.workers.values() if worker.role == "worker" and worker.alive)
    mean_ns = elapsed_ns / run.done if run.done else 0.0
    return max(0.0, known_ns / max(1, workers) + waiting.unknown * mean_ns) / 1e9


def known(session: Session, nodeids: Iterable[str]) -> list[str]:
    """Return those of `nodeids` that still exist, in collection order."""
    items = [session.items[nodeid] for nodeid in nodeids if nodeid in session.items]
    return [item.nodeid for item in sorted(items, key=lambda item: item.index)]


def rootdir(session: Session) -> str:
    """Return pytest's rootdir as last reported, "" before the first hello."""
    hello = next((run.hello for run in reversed(session.runs) if run.hello), None)
    return hello.rootdir if hello else ""


def unexplained_exit(run: Run) -> bool:
    """Return whether pytest ended with an exit code that no other result explains.

    For instance coverage that is too low, or a plugin that sets the exit code.
    """
    explained = run.state is not RunState.FINISHED or run.cancel_reason or run.collect_errors
    failed = any(run.counts.get(word) for word in FAILURES)
    return run.exitstatus not in (None, 0, USAGE_ERROR, NO_TESTS_COLLECTED) and not explained and not failed
