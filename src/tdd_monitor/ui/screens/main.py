"""The main screen: arranges header, banner, test table, five panels, filter and footer."""

import time
from collections import deque
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal
from textual.widgets import Input, Label

from tdd_monitor.session.model import Delta
from tdd_monitor.ui import actions
from tdd_monitor.ui.frames.order import VIEWS
from tdd_monitor.ui.frames.pace import Pace
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.panels import banner, header
from tdd_monitor.ui.panels.panel import Panel, make_panels, title
from tdd_monitor.ui.panels.tests import TestTable
from tdd_monitor.ui.widgets import PaintedLines, Palette, RowsView

from .choice import SortScreen
from .live import LiveScreen

ORDER_BUDGET_S = 0.008  # of a frame of 50 ms
PATTERN_MAX = 500  # characters of a filter, which is searched for in every node id


class FilterInput(Input):
    """The filter's input line: enter keeps the filter, escape clears it."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "give_up", "clear")]

    def on_paste(self, event: events.Paste) -> None:
        """Truncate a long text to fit; Textual would reject it entirely."""
        event.text = event.text[: max(0, PATTERN_MAX - len(self.value))]

    def action_give_up(self) -> None:
        """Clear the filter and close the input line."""
        self.value = ""
        self.post_message(self.Submitted(self, ""))


class MainScreen(LiveScreen):
    """Test table and panels side by side; digits, tab and + move between them."""

    BINDINGS = actions.bindings("main")
    PLACES = ("app", "main", "rows")

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._order_pace = Pace(0.1, share=0.15)
        self.table = TestTable(view, id="tests")
        self.panels = make_panels(view)
        # One of these runs per frame, round-robin, which refreshes each several times a second.
        self._turns = deque([*(panel.catch_up for panel in self.panels), self._show_words])
        self._turns_left = 0
        self.header = PaintedLines(id="header")
        self.banner = PaintedLines(id="banner")

    def compose(self) -> ComposeResult:
        """All widgets, top to bottom."""
        yield Palette()
        yield self.header
        yield self.banner
        with Container(id="panels"):
            yield self.table
            yield from self.panels
        with Horizontal(id="filter"):
            yield Label("/")
            yield FilterInput(
                placeholder="words in the node id; !word excludes", max_length=PATTERN_MAX, compact=True
            )
        yield from self.compose_frame()

    def on_mount(self) -> None:
        """Start in the table; if only one panel fits, show the alerts."""
        self.panels[1].add_class("-chosen")
        self.table.focus()

    # Frames

    def show(self, view: View, delta: Delta) -> None:
        """Show the next frame; the order and the panels follow at their own pace."""
        super().show(view, delta)
        self._show_top()
        self.table.repaint(view, delta)
        for panel in self.panels:
            panel.view = view
        self._turns_left = len(self._turns)

    def settle(self) -> None:
        """Continue sorting, and refresh one panel."""
        now = time.perf_counter()
        if self.table.listing.stale and self._order_pace.due(now):
            self.table.reorder(ORDER_BUDGET_S)
            if not self.table.listing.stale:
                self._order_pace.ran(now, time.perf_counter())
                self._turns_left = len(self._turns)
        if self._turns_left:
            self._turns_left -= 1
            self._turns[0]()
            self._turns.rotate(-1)

    def show_whole(self) -> None:
        """Show the whole view now, for the current size."""
        self._show_top()
        self.table.listing.restart()
        self.table.repaint(self.view, Delta(rows=True))
        self.table.reorder()
        for panel in self.panels:
            panel.view = self.view
            panel.catch_up()
        self._show_words()

    def _show_top(self) -> None:
        width = self.size.width
        self.header.show(header.lines(self.view, width, self.header.size.height))
        lines = banner.lines(self.view, width)
        self.banner.show(lines)
        self.banner.set_class(bool(lines), "-open")

    def _show_words(self) -> None:
        self._show_heading()
        self.update_keys()

    def _show_heading(self) -> None:
        count = self.table.row_count()
        place = f"{self.table.cursor + 1:,} of {count:,}" if count else ""
        self.table.show_titles(title(1, "tests", self.table.heading()), place)

    def on_rows_view_moved(self) -> None:
        """Update the heading, which contains the position."""
        self._show_words()

    # Selection

    def chosen(self) -> list[str]:
        """The marked tests, or the one under the cursor of the focused panel."""
        if self.table.marks:
            return self.table.chosen()
        current = self.current()
        return [current] if current is not None else []

    def current(self) -> str | None:
        """The test under the cursor."""
        focused = self.focused
        if isinstance(focused, Panel):
            target = focused.target_at(focused.cursor)
            return target.value if target is not None and target.kind == "test" else None
        return self.table.current

    def own_facts(self) -> frozenset[str]:
        """Add "page" if there is a zoom, filter, mark or view to undo."""
        table = self.table
        changed = table.marks or table.listing.pattern or table.listing.view != "all"
        return frozenset({"page"} if changed or self._zoomed else ())

    # Panels

    def _views(self) -> list[RowsView]:
        return [self.table, *self.panels]

    @property
    def _zoomed(self) -> bool:
        return self.query_one("#panels").has_class("-zoomed")

    def action_panel(self, digit: int) -> None:
        """Show a panel and focus it."""
        wanted = self._views()[digit - 1]
        for panel in self.panels:
            if digit > 1:
                panel.set_class(panel is wanted, "-chosen")
        if self._zoomed or self.has_class("-short"):
            self._zoom(wanted if digit > 1 or (self._zoomed and not self.has_class("-short")) else None)
        self.call_after_refresh(wanted.focus)

    def action_panel_step(self, step: int) -> None:
        """Go to the next or previous panel."""
        views = self._views()
        at = views.index(self.focused) if self.focused in views else 0
        self.action_panel((at + step) % len(views) + 1)

    def action_zoom(self) -> None:
        """Zoom the focused panel in, or zoom out."""
        focused = self.focused
        self._zoom(None if self._zoomed or not isinstance(focused, RowsView) else focused)

    def _zoom(self, wanted: RowsView | None) -> None:
        self.query_one("#panels").set_class(wanted is not None, "-zoomed")
        for view in self._views():
            view.set_class(view is wanted, "-zoom")

    def action_back(self) -> None:
        """Undo one step: zoom, filter, marks, view. Never quits."""
        table = self.table
        if self._zoomed:
            self._zoom(None)
        elif table.listing.pattern:
            self._filter("")
            self.query_one(FilterInput).value = ""
        elif table.marks:
            table.marks.clear()
            table.refresh()
        elif table.listing.view != "all":
            table.choose(view="all")
        self._show_words()

    # Filter, view and sort order

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the filter's key to its input line once that has the focus."""
        if action == "filter" and isinstance(self.focused, FilterInput):
            return False
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        """Open the filter's input line."""
        self.query_one("#filter").add_class("-open")
        self.set_focus(self.query_one(FilterInput))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._filter(event.value)

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.query_one("#filter").remove_class("-open")
        self.table.focus()

    def _filter(self, pattern: str) -> None:
        if pattern != self.table.listing.pattern:
            self.table.choose(pattern=pattern)
            self._show_words()

    def action_cycle_view(self) -> None:
        """Switch to the next view."""
        names = list(VIEWS)
        view = names[(names.index(self.table.listing.view) + 1) % len(names)]
        self.table.choose(view=view)
        self._show_words()

    def action_sort(self) -> None:
        """Ask for the sort column."""
        self.app.push_screen(SortScreen(self.table.listing.sort), self._sort_by)

    def _sort_by(self, sort: str | None) -> None:
        if sort is not None:
            self.table.choose(sort=sort, reverse=False)
            self._show_words()

    def action_reverse(self) -> None:
        """Reverse the sort order."""
        self.table.choose(reverse=not self.table.listing.reverse)
        self._show_words()

    def action_problem(self, step: int) -> None:
        """Go to the next or previous test with a problem."""
        self.table.focus()
        if not self.table.problem(step):
            self.notify(f"No problems in this view ({VIEWS[self.table.listing.view]}).")

    def action_follow(self) -> None:
        """Toggle following the running test."""
        self.table.follow = not self.table.follow
        self.notify("Following the running test." if self.table.follow else "Stopped following.")

    def action_mark(self) -> None:
        """Mark or unmark the current test."""
        nodeid = self.current()
        if nodeid is not None:
            self.table.mark(nodeid)
        self._show_words()
