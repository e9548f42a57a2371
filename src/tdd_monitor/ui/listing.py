"""The node ids that the table shows, in their order, kept up to date from deltas.

The order of a hundred thousand tests is not made anew because one of them changed: what changed is
taken out and sorted in again.
"""

from collections.abc import Callable

from tdd_monitor.session import queries
from tdd_monitor.session.model import FAILURES, Delta, Item, ItemState
from tdd_monitor.verdict import Board

Keep = Callable[[Item], bool]

VIEWS = {
    "all": "all",
    "failed": "failed",
    "over": "over threshold",
    "running": "running",
    "slowest": "slowest",
}


class Listing:
    """What is shown: a view, a filter, a sort key; and the node ids that follow from them."""

    def __init__(self) -> None:
        self.view = "all"
        self.pattern = ""
        self.sort = "order"
        self.reverse = False
        self.nodeids: list[str] = []
        self._rows: list[tuple[float | str, ...]] = []  # sort key, then node id; ascending
        self._changed: set[str] = set()
        self._whole = True

    def choose(
        self,
        *,
        view: str | None = None,
        pattern: str | None = None,
        sort: str | None = None,
        reverse: bool | None = None,
    ) -> None:
        """Change what is shown; takes effect with the next `refresh`."""
        if view is not None and view != self.view:
            # "slowest" is a view and an order at once; leaving it gives the order back.
            if "slowest" in (view, self.view):
                self.sort, self.reverse = ("duration" if view == "slowest" else "order"), False
            self.view = view
        self.pattern = self.pattern if pattern is None else pattern
        self.sort = sort or self.sort
        self.reverse = self.reverse if reverse is None else reverse
        self._whole = True

    def note(self, delta: Delta) -> None:
        """Remember what changed in the session."""
        self._whole |= delta.rows
        if self.sort != "order" or self.view != "all":
            self._changed |= delta.items

    @property
    def stale(self) -> bool:
        """True when `refresh` would do something."""
        return self._whole or bool(self._changed)

    def refresh(self, board: Board) -> None:
        """Bring `nodeids` up to date."""
        if self._whole:
            self._rebuild(board)
        elif self._changed:
            self._sort_in(board)
        self._whole = False
        self._changed.clear()

    def _rebuild(self, board: Board) -> None:
        keep = self._keep(board)
        items = [item for item in board.session.items.values() if keep is None or keep(item)]
        key = queries.SORT_KEYS[self.sort]
        self._rows = sorted([(*key(item), item.nodeid) for item in items])
        self._publish()

    def _sort_in(self, board: Board) -> None:
        keep, key, items = self._keep(board), queries.SORT_KEYS[self.sort], board.session.items
        changed = self._changed
        rows = [row for row in self._rows if row[-1] not in changed]
        for nodeid in changed:
            item = items.get(nodeid)
            if item is not None and (keep is None or keep(item)):
                rows.append((*key(item), nodeid))
        rows.sort()  # two runs of which one is in order already: linear
        self._rows = rows
        self._publish()

    def _publish(self) -> None:
        self.nodeids = [str(row[-1]) for row in self._rows]
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
