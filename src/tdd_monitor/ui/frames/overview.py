"""Figures over all tests, gathered a slice at a time: no frame waits for a hundred thousand rows."""

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tdd_monitor.session import metrics, queries
from tdd_monitor.session.model import Item, ItemState, Session

SLICE = 500  # items between two looks at the clock
TOP = 50


@dataclass(frozen=True, slots=True)
class Overview:
    """What the panels say about all tests together."""

    durations: queries.Durations = field(default_factory=lambda: queries.distribution([]))
    slowest: tuple[tuple[str, int], ...] = ()  # node id, own nanoseconds
    memory: tuple[tuple[str, int], ...] = ()  # node id, bytes
    eta_s: float | None = None


class Sweep:
    """One pass after the other over the items of a session; `latest` is the last whole one."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.latest = Overview()
        self._clock = clock
        self._pass: Iterator[Overview | None] | None = None

    def step(self, session: Session, now_ns: int, budget_s: float) -> bool:
        """Go on for at most about `budget_s`; True when a pass came to its end."""
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
        """Forget a pass that is under way: what it looks at is gone."""
        self._pass = None


def _gather(session: Session, now_ns: int) -> Iterator[Overview | None]:
    items = list(session.items.values())
    own: list[int] = []
    memory: list[tuple[int, int, str]] = []
    slowest: list[tuple[int, int, str]] = []
    waiting = queries.Waiting()
    for start in range(0, len(items), SLICE):
        part = items[start : start + SLICE]
        # Sorted slices are quick to sort together at the end, in one go that nothing can interrupt.
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
