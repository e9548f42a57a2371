"""The test table: a virtual view of the session, whose cursor stays on a test rather than a row.

It keeps no copy of any test: a row is composed when its line is drawn.
"""

from collections.abc import Iterable

from textual import events
from textual.geometry import Size
from textual.strip import Strip

from tdd_monitor import figures
from tdd_monitor.session.model import FAILURES, Delta, Item, ItemState
from tdd_monitor.ui.frames.order import VIEWS, Listing
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import Target
from tdd_monitor.ui.widgets import RowsView
from tdd_monitor.verdict import Board

from . import columns

PATTERN_SHOWN = 20
NONE_IN = {
    "all": "there is none",
    "failed": "no test has failed",
    "over": "no test is over a threshold",
    "running": "no test is running",
    "slowest": "no test has finished",
}

KEY_BUDGET_S = 0.03  # that a key press may take before its frame is shown


class TestTable(RowsView):
    """All tests, or those of a view and a filter, one per line."""

    __test__ = False  # pytest would collect a class with this name wherever it is imported
    HEAD = 1

    def __init__(self, view: View, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view
        self.listing = Listing()
        self.marks: set[str] = set()
        self.follow = True
        self.current: str | None = None  # node id under the cursor
        self._columns: list[columns.Column] = []
        self._was_active: bool | None = None  # a run was in progress at the last frame

    @property
    def board(self) -> Board:
        """The board that the rows are read from."""
        return self.view.board

    # Updates from the session

    def repaint(self, view: View, delta: Delta) -> None:
        """Repaint the visible rows that `delta` changed; `reorder` updates the order."""
        self.view = view
        self.listing.note(delta)
        if self.follow:
            self._follow()
        for index in self._visible_rows():
            nodeid = self.listing.nodeids[index]
            if nodeid in delta.items or self._is_running(nodeid):
                self.refresh_row(index)

    def reorder(self, budget_s: float = float("inf")) -> None:
        """Update order and filter; the cursor stays on its test.

        Work that exceeds the budget continues in the next frames.
        """
        if self.listing.step(self.board, budget_s):
            self._reordered()

    def _reordered(self) -> None:
        nodeids = self.listing.nodeids
        self.marks &= self.board.session.items.keys()
        if self.current in self.board.session.items or self.current is None:
            self.cursor = self._index_of(self.current, self.cursor)
        self._columns = self._choose_columns()
        count = len(nodeids) + self.HEAD
        if self.virtual_size.height != count:
            self.virtual_size = Size(0, count)
        self._settle()
        self.refresh()

    def _settle(self) -> None:
        """Keep the cursor within the rows and remember the test it is on."""
        nodeids = self.listing.nodeids
        self.cursor = min(self.cursor, max(0, len(nodeids) - 1))
        self.current = nodeids[self.cursor] if nodeids else None
        self.reveal(self.cursor)

    def _index_of(self, nodeid: str | None, default: int) -> int:
        nodeids = self.listing.nodeids
        if nodeid is None or nodeids[default : default + 1] == [nodeid]:
            return default
        try:
            return nodeids.index(nodeid)
        except ValueError:
            return default

    def _choose_columns(self) -> list[columns.Column]:
        workers = any(worker.role == "worker" for worker in self.board.session.workers.values())
        return columns.choose(self.inner_width, self.listing.sort, workers)

    def _visible_rows(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(top + self.page, len(self.listing.nodeids)))

    def _item(self, nodeid: str) -> Item | None:
        return self.board.session.items.get(nodeid)

    def _is_running(self, nodeid: str) -> bool:
        item = self._item(nodeid)
        return item is not None and item.state is ItemState.RUNNING

    def _running_now(self) -> str | None:
        """The test of the first busy worker only: following all of them would make the cursor jump."""
        workers = self.board.session.workers.values()
        busy = (worker for worker in workers if worker.running and worker.alive)
        first = min(busy, key=lambda worker: worker.id, default=None)
        return first.running if first is not None else None

    def _go_to(self, nodeid: str) -> None:
        if nodeid == self.current:
            return
        index = self._index_of(nodeid, -1)
        if index >= 0 and self.listing.nodeids[index] == nodeid:
            self.place(index)
            self.current = nodeid

    def _follow(self) -> None:
        """Go to the running test or, when the run has finished, to the first lost or failed test."""
        run = self.board.session.run
        if run is None or not self.listing.nodeids:
            return
        if run.active:
            running = self._running_now()
            if running is not None:
                self._go_to(running)
        elif self._was_active or (self._was_active is None and run.lost_nodeids):
            first = next(iter(run.lost_nodeids), None) or self._first_problem()
            if first is not None:
                self._go_to(first)
        self._was_active = run.active

    def _first_problem(self) -> str | None:
        return next((nodeid for nodeid in self.listing.nodeids if self._has_failed(nodeid)), None)

    # Drawing

    def row_count(self) -> int:
        """The number of rows."""
        return len(self.listing.nodeids)

    def head_strip(self, y: int, width: int) -> Strip:
        """The titles of the columns."""
        return self.paint(columns.title_row(self._columns, self.listing.sort, self.listing.reverse), width)

    def render_line(self, y: int) -> Strip:
        """One visible line; if there are no rows, the reason why."""
        if y > self.HEAD and not self.listing.nodeids:
            lines = format.wrap(self._why_empty(), max(10, self.inner_width - 4))
            text = "".join(lines[y - self.HEAD - 1 : y - self.HEAD])
            return self.paint((("  " + text, "dim"),), self.inner_width)
        return super().render_line(y)

    def _why_empty(self) -> str:
        """Why there is nothing to show, and the key that shows more."""
        run, view, found = self.board.session.run, self.listing.view, self.board.session.items
        if not found:
            if run is None or run.active:
                return "Tests appear here as pytest collects them."
            return "No tests. Press o for pytest's output."
        pattern = format.cut_middle(self.listing.pattern, PATTERN_SHOWN)
        if not pattern:
            return f"View {VIEWS[view]}: {NONE_IN[view]}. Press esc to show all tests."
        if view == "all":
            tests = figures.plural(len(found), "test")
            return f"Filter /{pattern}: none of {tests} matches. Press esc to clear it."
        return (
            f"View {VIEWS[view]}, filter /{pattern}: no such test. "
            "Press esc to clear the filter, again to leave the view."
        )

    def row_strip(self, index: int, width: int) -> Strip:
        """One test. The listing may lag behind the session: a test that no longer exists is blank."""
        nodeid = self.listing.nodeids[index]
        item = self._item(nodeid)
        if item is None:
            return self.paint((), width)
        run = self.board.session.run
        found = columns.facts(self.board, item, run, self.view.now_ns)
        on_cursor = index == self.cursor
        over = ["stale"] if found.run or item.state is ItemState.IDLE else []
        if on_cursor:
            over.append(self.cursor_role)
        parts = columns.row_parts(self._columns, found, on_cursor, nodeid in self.marks)
        return self.paint(parts, width, *over)

    def target_at(self, index: int) -> Target | None:
        """The test of a row."""
        nodeids = self.listing.nodeids
        return Target("test", nodeids[index]) if index < len(nodeids) else None

    def on_resize(self, event: events.Resize) -> None:
        """Choose the columns that fit."""
        self._columns = self._choose_columns()
        self.reveal(self.cursor)

    # User actions

    def cursor_moved(self) -> None:
        """Stop following once the user moves the cursor."""
        self.follow = False
        self.current = self.listing.nodeids[self.cursor] if self.listing.nodeids else None
        super().cursor_moved()

    def choose(self, **what: object) -> None:
        """Change view, filter, sort or order (see `Listing.choose`)."""
        self.listing.choose(**what)  # type: ignore[arg-type]
        self.reorder(KEY_BUDGET_S)

    def mark(self, nodeid: str) -> None:
        """Mark or unmark a test; if it is the table's current one, go to the next row."""
        self.marks ^= {nodeid}
        self.refresh()
        if nodeid == self.current and self.has_focus:
            self.action_cursor_down()

    def chosen(self) -> list[str]:
        """The marked tests in table order, or the current one."""
        if self.marks:
            marked = [nodeid for nodeid in self.listing.nodeids if nodeid in self.marks]
            return marked + sorted(self.marks.difference(marked))
        return [self.current] if self.current is not None else []

    def problem(self, step: int) -> bool:
        """Go to the next or previous test with a problem, wrapping around; False if there is none."""
        nodeids = self.listing.nodeids
        order = rotated(len(nodeids), self.cursor, step)
        found = next((index for index in order if self._is_problem(nodeids[index])), None)
        if found is None:
            return False
        self.follow = False
        self.move_to(found)
        return True

    def _has_failed(self, nodeid: str) -> bool:
        item = self._item(nodeid)
        return item is not None and item.outcome in FAILURES

    def _is_problem(self, nodeid: str) -> bool:
        return self._has_failed(nodeid) or nodeid in self.board.of_test

    def heading(self) -> str:
        """The count, view, filter, order and marks, for the panel's title."""
        listing = self.listing
        words = [f"{len(listing.nodeids):,}"]
        if listing.view != "all":
            words.append(VIEWS[listing.view])
        if listing.pattern:
            words.append(f"/{listing.pattern}")
        if listing.sort != "order":
            words.append(f"by {listing.sort}{' reversed' if listing.reverse else ''}")
        if self.marks:
            words.append(f"{len(self.marks)} marked")
        return " · ".join(words)


def rotated(count: int, start: int, step: int) -> Iterable[int]:
    """Every index once, starting after `start` (or before it), wrapping around, `start` last."""
    return ((start + step * offset) % count for offset in range(1, count + 1))
