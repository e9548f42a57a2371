"""The pages of text around a run, as tabs; the output follows its end while the cursor is there."""

import time

from textual import events
from textual.app import ComposeResult

from tdd_monitor.session.model import Delta
from tdd_monitor.ui import actions
from tdd_monitor.ui.frames.pace import Pace
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.tabs.run import PAGES
from tdd_monitor.ui.widgets import LinesView, TabLine

from .live import LiveScreen


class PagesScreen(LiveScreen):
    """Output, collection errors, notices, warnings."""

    BINDINGS = actions.bindings("pages")
    PLACES = ("app", "rows", "pages")

    def __init__(self, view: View, page: str) -> None:
        super().__init__(view)
        self.tab = next(index for index, known in enumerate(PAGES) if known.key == page)
        self._pace = Pace(0.3)
        self._stale = False
        self.tabs = TabLine(id="tabs")
        self.body = LinesView(every_row=True, id="body")

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self.tabs
        yield self.body
        yield from self.compose_frame()

    def on_mount(self) -> None:
        """The body takes the keys that move."""
        self.body.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Another width."""
        self.call_after_refresh(self._show, True)

    def show(self, view: View, delta: Delta) -> None:
        """Follow what comes in."""
        super().show(view, delta)
        self._stale = True

    def settle(self) -> None:
        """Put together at most three times a second: the output may be long."""
        now = time.perf_counter()
        if self._stale and self._pace.due(now):
            self._stale = False
            self._show()
            self._pace.ran(now, time.perf_counter())

    def _show(self, reset: bool = False) -> None:
        names = [
            f"{page.name} {page.count(self.view):,}" if page.count(self.view) else page.name for page in PAGES
        ]
        empty = frozenset(index for index, page in enumerate(PAGES) if not page.count(self.view))
        self.tabs.show_tabs(names, self.tab, empty)
        at_end = self.body.cursor >= self.body.row_count() - 1
        self.body.show(list(PAGES[self.tab].rows(self.view)), reset)
        if PAGES[self.tab].key == "output" and (reset or at_end):
            self.body.action_cursor_bottom()
        self.update_keys()

    def current(self) -> str | None:
        """The test under the cursor, on a page that names tests."""
        target = self.body.target_at(self.body.cursor)
        return target.value if target is not None and target.kind == "test" else None

    def own_facts(self) -> frozenset[str]:
        """There is always something to go back to."""
        return frozenset({"page"})

    def facts(self) -> frozenset[str]:
        """The pages are here already."""
        return super().facts() - {"elsewhere"}

    def action_back(self) -> None:
        """Back to where it was opened."""
        self.app.pop_screen()

    def action_tab_step(self, step: int) -> None:
        """Next or previous page, round the end."""
        self.tab = (self.tab + step) % len(PAGES)
        self._show(reset=True)
