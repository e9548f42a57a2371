"""One test in detail: a heading, tabs, and the rows of the active tab; and what a fixture costs."""

from collections.abc import Callable, Iterable
from functools import partial

from textual import events
from textual.app import ComposeResult

from tdd_monitor.session.model import Delta, ItemState
from tdd_monitor.ui import actions
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.tabs import TABS, Subject, cause, fixture
from tdd_monitor.ui.tabs.subject import heading
from tdd_monitor.ui.text.parts import Row, text_row
from tdd_monitor.ui.widgets import LinesView, PaintedLines, TabLine
from tdd_monitor.verdict import wording

from .live import LiveScreen

ToProblem = Callable[[int], str | None]


class DetailScreen(LiveScreen):
    """Follows one test, by node id, through runs."""

    BINDINGS = actions.bindings("detail")
    PLACES = ("app", "detail", "rows")

    def __init__(self, view: View, nodeid: str, to_problem: ToProblem) -> None:
        super().__init__(view)
        self.nodeid = nodeid
        self.tab = 0
        self._to_problem = to_problem
        self.heading = PaintedLines(id="heading")
        self.tabs = TabLine(id="tabs")
        self.body = LinesView(every_row=True, id="body")

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self.heading
        yield self.tabs
        yield self.body
        yield from self.compose_frame()

    def on_mount(self) -> None:
        """The body takes the keys that move."""
        self.body.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Bars and wrapped texts depend on the width."""
        self.call_after_refresh(self._show_tab)

    def show(self, view: View, delta: Delta) -> None:
        """Follow the test."""
        super().show(view, delta)
        item = view.board.session.items.get(self.nodeid)
        running = item is not None and item.state is ItemState.RUNNING
        if item is None or running or self.nodeid in delta.items or not delta:
            self._show_tab()

    def _show_tab(self, reset: bool = False) -> None:
        item = self.view.board.session.items.get(self.nodeid)
        if item is None:
            self.body.show([text_row("This test is gone: the last run did not collect it any more.", "dim")])
            return
        subject = Subject(item, self.view)
        self._show_heading(subject)
        empty = frozenset(index for index, tab in enumerate(TABS) if not tab.filled(subject))
        self.tabs.show_tabs([tab.name for tab in TABS], self.tab, empty)
        self.body.show(list(TABS[self.tab].rows(subject, self.body.inner_width)), reset)
        self.update_keys()

    def _show_heading(self, subject: Subject) -> None:
        self.heading.show(heading(subject, self.size.width))

    def current(self) -> str | None:
        """The test that is shown."""
        return self.nodeid if self.nodeid in self.view.board.session.items else None

    def own_facts(self) -> frozenset[str]:
        """There is always something to go back to."""
        return frozenset({"page"})

    def action_back(self) -> None:
        """Back to where it was opened."""
        self.app.pop_screen()

    def action_tab_step(self, step: int) -> None:
        """Next or previous tab, round the end."""
        self.tab = (self.tab + step) % len(TABS)
        self._show_tab(reset=True)

    def action_problem(self, step: int) -> None:
        """The next or previous test with a problem takes the place of this one."""
        nodeid = self._to_problem(step)
        if nodeid is not None and nodeid != self.nodeid:
            self.nodeid = nodeid
            self._show_tab(reset=True)


class TestsScreen(LiveScreen):
    """What some tests have in common, and these tests. Put together when it is opened."""

    __test__ = False  # pytest takes a class of this name for tests where it is imported
    BINDINGS = actions.bindings("fixture")
    PLACES = ("app", "rows", "fixture")

    def __init__(self, view: View, title: str, compose_rows: Callable[[int], Iterable[Row]]) -> None:
        super().__init__(view)
        self._tab_title, self._compose_rows = title, compose_rows
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
        """Names depend on the width."""
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        self.tabs.show_tabs([self._tab_title], 0)
        self.body.show(list(self._compose_rows(self.body.inner_width)))
        self.update_keys()

    def current(self) -> str | None:
        """The test under the cursor."""
        target = self.body.target_at(self.body.cursor)
        return target.value if target is not None else None

    def own_facts(self) -> frozenset[str]:
        """There is always something to go back to."""
        return frozenset({"page"})

    def action_back(self) -> None:
        """Back to where it was opened."""
        self.app.pop_screen()


def fixture_screen(view: View, key: str) -> TestsScreen:
    """What one fixture cost, for whom; `key` is "scope:name"."""
    cost = fixture.cost(view.board.session, key)
    return TestsScreen(view, f"Fixture {cost.name}", partial(fixture.rows, cost))


def cause_screen(view: View, key: str) -> TestsScreen | None:
    """The tests of an alert (`Alert.key`), or None when it is gone."""
    alert = next((alert for alert in view.alerts if alert.key == key), None)
    if alert is None:
        return None
    return TestsScreen(view, wording.word(alert.metric).capitalize(), partial(cause.rows, alert, view.board))
