"""Detail screens: one test with its tabs, the cost of a fixture, the tests behind an alert."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from textual.widget import Widget

from tdd_monitor.session.model import Delta, ItemState
from tdd_monitor.ui import actions
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.tabs import TABS, Subject, cause, fixture
from tdd_monitor.ui.tabs.subject import heading
from tdd_monitor.ui.text.parts import Row, text_row
from tdd_monitor.ui.widgets import PaintedLines
from tdd_monitor.verdict import wording

from .tabbed import Label, TabbedScreen

ToProblem = Callable[[int], str | None]


class DetailScreen(TabbedScreen):
    """Follows one test, by node id, across runs."""

    BINDINGS = actions.bindings("detail")
    PLACES = ("app", "detail", "rows")

    def __init__(self, view: View, nodeid: str, to_problem: ToProblem) -> None:
        super().__init__(view)
        self.nodeid = nodeid
        self._to_problem = to_problem
        self.heading = PaintedLines(id="heading")

    def head(self) -> Sequence[Widget]:
        """The heading: the test and its key figures."""
        return (self.heading,)

    def show(self, view: View, delta: Delta) -> None:
        """Show the next frame, if it concerns the test."""
        super().show(view, delta)
        item = view.board.session.items.get(self.nodeid)
        running = item is not None and item.state is ItemState.RUNNING
        if item is None or running or self.nodeid in delta.items or not delta:
            self.show_tab()

    def show_tab(self, reset: bool = False) -> None:
        """Show the heading and the active tab, or that the test no longer exists."""
        subject = self._subject()
        if subject is None:
            self.body.show([text_row("This test no longer exists: the last run did not collect it.", "dim")])
            return
        self.heading.show(heading(subject, self.size.width))
        super().show_tab(reset)

    def labels(self) -> Sequence[Label]:
        """The tabs, each filled if it has anything about this test."""
        subject = self._subject()
        return [Label(tab.name, subject is not None and tab.filled(subject)) for tab in TABS]

    def rows(self, width: int) -> Sequence[Row]:
        """The rows of the active tab."""
        subject = self._subject()
        return list(TABS[self.tab].rows(subject, width)) if subject is not None else []

    def _subject(self) -> Subject | None:
        item = self.view.board.session.items.get(self.nodeid)
        return Subject(item, self.view) if item is not None else None

    def current(self) -> str | None:
        """The test shown, or None if it no longer exists."""
        return self.nodeid if self.nodeid in self.view.board.session.items else None

    def action_problem(self, step: int) -> None:
        """Switch to the next or previous test with a problem."""
        nodeid = self._to_problem(step)
        if nodeid is not None and nodeid != self.nodeid:
            self.nodeid = nodeid
            self.show_tab(reset=True)


class TestsScreen(TabbedScreen):
    """What some tests have in common, and these tests. Composed once, when opened."""

    __test__ = False  # pytest would collect a class with this name wherever it is imported
    BINDINGS = actions.bindings("fixture")
    PLACES = ("app", "rows", "fixture")

    def __init__(self, view: View, title: str, compose_rows: Callable[[int], Iterable[Row]]) -> None:
        super().__init__(view)
        self._tab_title, self._compose_rows = title, compose_rows

    def labels(self) -> Sequence[Label]:
        """One tab, named after what the tests have in common."""
        return (Label(self._tab_title),)

    def rows(self, width: int) -> Sequence[Row]:
        """What they have in common, and the tests."""
        return list(self._compose_rows(width))


def fixture_screen(view: View, key: str) -> TestsScreen:
    """The cost of one fixture, by test; `key` is "scope:name"."""
    cost = fixture.cost(view.board.session, key)
    return TestsScreen(view, f"Fixture {cost.name}", partial(fixture.rows, cost))


def cause_screen(view: View, key: str) -> TestsScreen | None:
    """The tests of an alert (`Alert.key`), or None if the alert no longer exists."""
    alert = next((alert for alert in view.alerts if alert.key == key), None)
    if alert is None:
        return None
    return TestsScreen(view, wording.word(alert.metric).capitalize(), partial(cause.rows, alert, view.board))
