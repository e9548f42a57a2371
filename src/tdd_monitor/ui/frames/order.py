"""The node ids that the table shows, in order, kept up to date from deltas.

When one test changes, a hundred thousand are not sorted again: only the changed ones are removed and
merged back in, a slice at a time so that no key press has to wait.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import cast

from tdd_monitor.session import queries
from tdd_monitor.session.model import FAILURES, Delta, Item, ItemState
from tdd_monitor.verdict import Board

Keep = Callable[[Item], bool]
SortRow = tuple[float | str, ...]  # the sort key, then the node id

SLICE = 5000  # rows between two checks of the clock

VIEWS = {
    "all": "all",
    "failed": "failed",
    "over": "over threshold",
    "running": "running",
    "slowest": "slowest",
}


class Listing:
    """A view, a filter and a sort key, and the node ids that result from them."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.view = "all"
        self.pattern = ""
        self.sort = "order"
        self.reverse = False
        self.nodeids: list[str] = []
        self._clock = clock
        self._rows: list[SortRow] = []  # ascending
        self._changed: set[str] = set()
        self._whole = True
        self._pass: Iterator[None] | None = None

    def choose(
        self,
        *,
        view: str | None = None,
        pattern: str | None = None,
        sort: str | None = None,
        reverse: bool | None = None,
    ) -> None:
        """Change what is shown; the next steps apply it."""
        if view is not None and view != self.view:
            # "slowest" is both a view and an order; leaving it restores the default order.
            if "slowest" in (view, self.view):
                self.sort, self.reverse = ("duration" if view == "slowest" else "order"), False
            self.view = view
        self.pattern = self.pattern if pattern is None else pattern
        self.sort = sort or self.sort
        self.reverse = self.reverse if reverse is None else reverse
        self.restart()

    def restart(self) -> None:
        """Discard all results and any pass in progress; the next pass rebuilds everything."""
        self._whole, self._pass = True, None

    def note(self, delta: Delta) -> None:
        """Record what changed in the session."""
        self._whole |= delta.rows
        if self.sort != "order" or self.view != "all":
            self._changed |= delta.items

    @property
    def stale(self) -> bool:
        """True when `step` would do something."""
        return self._pass is not None or self._whole or bool(self._changed)

    def step(self, board: Board, budget_s: float) -> bool:
        """Continue for about `budget_s` at most; True once `nodeids` is up to date."""
        if self._pass is None:
            if not self.stale:
                return False
            changed, self._changed = self._changed, set()
            self._pass = self._rebuild(board) if self._whole else self._sort_in(board, changed)
            self._whole = False
        deadline = self._clock() + budget_s
        for _ in self._pass:
            if self._clock() >= deadline:
                return False
        self._pass = None
        return True

    def refresh(self, board: Board) -> None:
        """Bring `nodeids` up to date now, whatever it costs."""
        while self.stale:
            self.step(board, float("inf"))

    def _rebuild(self, board: Board) -> Iterator[None]:
        keep, key = self._keep(board), queries.SORT_KEYS[self.sort]
        items = list(board.session.items.values())
        rows: list[SortRow] = []
        for start in range(0, len(items), SLICE):
            part = items[start : start + SLICE]
            rows += sorted([(*key(item), item.nodeid) for item in part if keep is None or keep(item)])
            yield
        rows.sort()  # cheap: the slices are sorted
        self._publish(rows, [row[-1] for row in rows])

    def _sort_in(self, board: Board, changed: set[str]) -> Iterator[None]:
        keep, key, items = self._keep(board), queries.SORT_KEYS[self.sort], board.session.items
        found = [item for nodeid in changed if (item := items.get(nodeid)) is not None]
        fresh = sorted([(*key(item), item.nodeid) for item in found if keep is None or keep(item)])
        rows: list[SortRow] = []
        nodeids: list[float | str] = []
        taken = 0
        for start in range(0, len(self._rows), SLICE):
            part = self._rows[start : start + SLICE]
            until = bisect_right(fresh, part[-1])
            merged = [row for row in part if row[-1] not in changed]
            if until > taken:
                merged += fresh[taken:until]
                merged.sort()
                taken = until
            rows += merged
            nodeids += [row[-1] for row in merged]
            yield
        rows += fresh[taken:]
        self._publish(rows, nodeids + [row[-1] for row in fresh[taken:]])

    def _publish(self, rows: list[SortRow], nodeids: list[float | str]) -> None:
        self._rows = rows
        self.nodeids = cast("list[str]", nodeids)
        if self.reverse:
            self.nodeids.reverse()

    def _keep(self, board: Board) -> Keep | None:
        in_view = _view_filter(self.view, board)
        pattern = self.pattern
        if not pattern.strip():
            return in_view
        if in_view is None:
            return lambda item: queries.matches(item.nodeid, pattern)
        return lambda item: in_view(item) and queries.matches(item.nodeid, pattern)


def _view_filter(view: str, board: Board) -> Keep | None:
    if view == "failed":
        return lambda item: item.outcome in FAILURES
    if view == "over":
        return lambda item: item.nodeid in board.of_test
    if view == "running":
        return lambda item: item.state is ItemState.RUNNING
    if view == "slowest":
        return lambda item: item.record is not None and item.outcome != "skipped"
    return None
