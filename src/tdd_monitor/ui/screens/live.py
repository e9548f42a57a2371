"""What every screen that follows the run has in common."""

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from tdd_monitor.session.model import FAILURES, Delta
from tdd_monitor.ui import actions
from tdd_monitor.ui.view import View
from tdd_monitor.ui.widgets import KeyLine

TOO_SMALL = "The terminal is too small.\nAt least 60 columns and 15 lines are needed."


class LiveScreen(Screen[None]):
    """A screen that is told of every frame, and knows which tests a key is about."""

    PLACES: tuple[str, ...] = ("app", "rows")

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view

    def compose_frame(self) -> ComposeResult:
        """The line of keys, and what is seen instead of everything in too small a terminal."""
        yield KeyLine(id="keys")
        yield Static(TOO_SMALL, id="too-small")

    def show(self, view: View, delta: Delta) -> None:
        """Show the next frame."""
        self.view = view

    def chosen(self) -> list[str]:
        """Node ids of the tests that a key is about: the marked ones, or the current one."""
        current = self.current()
        return [current] if current is not None else []

    def current(self) -> str | None:
        """Node id of the current test."""
        return None

    def own_facts(self) -> frozenset[str]:
        """What holds on this screen, beyond what holds everywhere."""
        return frozenset()

    def facts(self) -> frozenset[str]:
        """What holds now: the needs of actions are looked up here."""
        board, found = self.view.board, set(self.own_facts())
        session = board.session
        held = {
            "can_run": self.view.can_run,
            "active": session.run is not None and session.run.active,
            "tests": bool(session.items),
            "test": bool(self.chosen()),
            "failed": any(session.counts[outcome] for outcome in FAILURES),
            "over": bool(board.of_test),
        }
        found |= {fact for fact, holds in held.items() if holds}
        if found & {"failed", "over"}:
            found.add("problem")
        return frozenset(found)

    def update_keys(self) -> None:
        """Show the keys that work now."""
        keys = self.query_one(KeyLine)
        keys.show_actions(actions.usable(self.PLACES, self.facts()), self.size.width)
