"""Statistics over all tests, computed a slice at a time so that no frame waits for 100,000 rows."""

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tdd_monitor.session import metrics, queries
from tdd_monitor.session.model import Item, ItemState, Session

SLICE = 500  # items between two checks of the clock
TOP = 50


@dataclass(frozen=True, slots=True)
class Overview:
    """Statistics over all tests, for the panels."""

    durations: queries.Durations = field(default_factory=lambda: queries.distribution([]))
    slowest: tuple[tuple[str, int], ...] = ()  # node id, own nanoseconds
    memory: tuple[tuple[str, int], ...] = ()  # node id, bytes
    eta_s: float | None = None


class Sweep:
    """Repeated passes over the items of a session; `latest` is the result of the last complete one."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.latest = Overview()
        self._clock = clock
        self._pass: Iterator[Overview | None] | None = None

    def step(self, session: Session, now_ns: int, budget_s: float) -> bool:
        """Continue for about `budget_s` at most; True when a pass is complete."""
        if self._pass is None:
            self._pass = _gather(session, now_ns)
        deadline = self._clock() + budget_s
        for overview in self._pass:
            if overview is not None:
                self.latest, self._pass = overview, None
                return True
            if self._clock() >= deadline:
                return False
        self._pass = None
        return False

    def restart(self) -> None:
        """Discard the pass in progress, whose items are outdated."""
        self._pass = None


def _gather(session: Session, now_ns: int) -> Iterator[Overview | None]:
    items = list(session.items.values())
    own: list[int] = []
    memory: list[tuple[int, int, str]] = []
    slowest: list[tuple[int, int, str]] = []
    waiting = queries.Waiting()
    for start in range(0, len(items), SLICE):
        part = items[start : start + SLICE]
        # Sorted slices make the final sort fast, which cannot be split into steps.
        own += sorted([item.own_ns for item in part if queries.has_duration(item)])
        slowest = _best(
            slowest, [(item.own_ns, -item.index, item.nodeid) for item in part if item.own_ns > 0]
        )
        memory = _best(memory, [row for item in part if (row := _growth(item))[0] > 0])
        for item in part:
            if item.state in (ItemState.PENDING, ItemState.RUNNING):
                waiting.add(item)
        yield None
    yield Overview(
        queries.distribution(own),
        tuple((nodeid, value) for value, _index, nodeid in slowest),
        tuple((nodeid, value) for value, _index, nodeid in memory),
        queries.eta_of(session, waiting, now_ns),
    )


def _growth(item: Item) -> tuple[int, int, str]:
    delta = metrics.memory_delta_bytes(item.record) if item.record is not None else 0
    return (delta, -item.index, item.nodeid)


def _best(known: list[tuple[int, int, str]], more: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    return heapq.nlargest(TOP, known + more)
