"""The pages of a run, as tabs; the output scrolls along while the cursor is at its end."""

import time
from collections.abc import Sequence

from tdd_monitor.session.model import Delta
from tdd_monitor.ui import actions
from tdd_monitor.ui.frames.pace import Pace
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.tabs.run import PAGES
from tdd_monitor.ui.text.parts import Row

from .tabbed import Label, TabbedScreen


class PagesScreen(TabbedScreen):
    """Output, summary, collection errors, notices and warnings."""

    BINDINGS = actions.bindings("pages")
    PLACES = ("app", "rows", "pages")

    def __init__(self, view: View, page: str) -> None:
        super().__init__(view, next(index for index, known in enumerate(PAGES) if known.key == page))
        self._pace = Pace(0.3)
        self._stale = False

    def show(self, view: View, delta: Delta) -> None:
        """Note that there is something new to show."""
        super().show(view, delta)
        self._stale = True

    def settle(self) -> None:
        """Refresh at most three times a second: the output may be long."""
        now = time.perf_counter()
        if self._stale and self._pace.due(now):
            self._stale = False
            self.show_tab()
            self._pace.ran(now, time.perf_counter())

    def show_tab(self, reset: bool = False) -> None:
        """Show the active page; keep the output at its end unless the user moved the cursor away."""
        at_end = self.body.cursor >= self.body.row_count() - 1
        super().show_tab(reset)
        if PAGES[self.tab].key == "output" and (reset or at_end):
            self.body.action_cursor_bottom()

    def labels(self) -> Sequence[Label]:
        """The pages, with the number of entries on each."""
        counts = [page.count(self.view) for page in PAGES]
        return [
            Label(f"{page.name} {count:,}" if count else page.name, bool(count))
            for page, count in zip(PAGES, counts, strict=True)
        ]

    def rows(self, width: int) -> Sequence[Row]:
        """The rows of the active page; they do not depend on the width."""
        return list(PAGES[self.tab].rows(self.view))

    def facts(self) -> frozenset[str]:
        """The current facts, without "elsewhere": the pages are already open."""
        return super().facts() - {"elsewhere"}
