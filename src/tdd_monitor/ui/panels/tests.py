"""The test table: a virtual view over the session, whose cursor stays with a test, not at a row.

It keeps no copy of any test: a row is put together when its line is drawn.
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

KEY_BUDGET_S = 0.03  # what a key press may spend before its frame is shown


class TestTable(RowsView):
    """All tests (or those of a view and a filter), one a line."""

    __test__ = False  # pytest takes a class of this name for tests where it is imported
    HEAD = 1

    def __init__(self, view: View, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view
        self.listing = Listing()
        self.marks: set[str] = set()
        self.follow = True
        self.current: str | None = None  # node id under the cursor
        self._columns: list[columns.Column] = []
        self._saw_run: bool | None = None  # the last frame was one of a run that was going

    @property
    def board(self) -> Board:
        """Where the rows come from."""
        return self.view.board

    # Keeping up with the session

    def take(self, view: View, delta: Delta) -> None:
        """Repaint what `delta` changed in sight; the order follows with `reorder`."""
        self.view = view
        self.listing.note(delta)
        if self.follow:
            self._follow()
        for index in self._in_sight():
            nodeid = self.listing.nodeids[index]
            if nodeid in delta.items or self._is_running(nodeid):
                self.refresh_row(index)

    def reorder(self, budget_s: float = float("inf")) -> None:
        """Bring order and filter up to date; the cursor stays with its test.

        What does not get done within the budget, the next frames go on with.
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
        """Hold the cursor within the rows and remember the test it is on."""
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

    def _in_sight(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(top + self.page, len(self.listing.nodeids)))

    def _item(self, nodeid: str) -> Item | None:
        return self.board.session.items.get(nodeid)

    def _is_running(self, nodeid: str) -> bool:
        item = self._item(nodeid)
        return item is not None and item.state is ItemState.RUNNING

    def _running_now(self) -> str | None:
        """What the first worker that is busy runs: going after all of them would be jumpy."""
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
        """Go where the run is; when it is over, to the first problem that it left."""
        run = self.board.session.run
        if run is None or not self.listing.nodeids:
            return
        if run.active:
            running = self._running_now()
            if running is not None:
                self._go_to(running)
        elif self._saw_run or (self._saw_run is None and run.lost_nodeids):
            first = next(iter(run.lost_nodeids), None) or self._first_problem()
            if first is not None:
                self._go_to(first)
        self._saw_run = run.active

    def _first_problem(self) -> str | None:
        return next((nodeid for nodeid in self.listing.nodeids if self._has_failed(nodeid)), None)

    # Drawing

    def row_count(self) -> int:
        """How many rows there are."""
        return len(self.listing.nodeids)

    def head_strip(self, y: int, width: int) -> Strip:
        """The titles of the columns."""
        return self.paint(columns.title_row(self._columns, self.listing.sort, self.listing.reverse), width)

    def render_line(self, y: int) -> Strip:
        """One visible line; without rows, those from the second on say why there are none."""
        if y > self.HEAD and not self.listing.nodeids:
            said = format.wrap(self._why_empty(), max(10, self.inner_width - 4))
            text = "".join(said[y - self.HEAD - 1 : y - self.HEAD])
            return self.paint((("  " + text, "dim"),), self.inner_width)
        return super().render_line(y)

    def _why_empty(self) -> str:
        """What leaves nothing to show, and the key that shows more."""
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
        """One test. A listing may be a moment behind the session: a test that is gone is blank."""
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
        """Other columns may fit."""
        self._columns = self._choose_columns()
        self.reveal(self.cursor)

    # What the user does

    def cursor_moved(self) -> None:
        """A move by hand ends following."""
        self.follow = False
        self.current = self.listing.nodeids[self.cursor] if self.listing.nodeids else None
        super().cursor_moved()

    def choose(self, **what: object) -> None:
        """Change view, filter, sort or order (see `Listing.choose`)."""
        self.listing.choose(**what)  # type: ignore[arg-type]
        self.reorder(KEY_BUDGET_S)

    def mark(self, nodeid: str) -> None:
        """Mark a test or take its mark away; from the table itself, go on to the next."""
        self.marks ^= {nodeid}
        self.refresh()
        if nodeid == self.current and self.has_focus:
            self.action_cursor_down()

    def chosen(self) -> list[str]:
        """The marked tests in the order of the table, or the current one."""
        if self.marks:
            marked = [nodeid for nodeid in self.listing.nodeids if nodeid in self.marks]
            return marked + sorted(self.marks.difference(marked))
        return [self.current] if self.current is not None else []

    def problem(self, step: int) -> bool:
        """Go to the next test (or the one before) with a problem, round the end if need be."""
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
        """What is shown, for the title of the panel."""
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
    """Every index once, from the one after `start` (or before it), round the end, `start` last."""
    return ((start + step * offset) % count for offset in range(1, count + 1))
