"""Base of the screens that follow the run."""

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from tdd_monitor.session.model import FAILURES, Delta
from tdd_monitor.ui import actions
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text.parts import Target
from tdd_monitor.ui.widgets import KeyLine, RowsView

TOO_SMALL = "The terminal is too small:\nit needs at least 60 columns and 15 lines."


class LiveScreen(Screen[None]):
    """A screen that gets every frame and knows which tests a key applies to."""

    PLACES: tuple[str, ...] = ("app", "rows")

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view
        self.keys = KeyLine(id="keys")
        self._resized = False

    def compose_frame(self) -> ComposeResult:
        """The footer, and the message that replaces everything in too small a terminal."""
        yield self.keys
        yield Static(TOO_SMALL, id="too-small")

    def show(self, view: View, delta: Delta) -> None:
        """Show the next frame."""
        self.view = view

    def settle(self) -> None:
        """Continue work that does not fit into one frame. Called every frame, even if nothing changed."""

    def show_whole(self) -> None:
        """Show everything now, for the current size."""

    def on_resize(self, event: events.Resize) -> None:
        """Compose for the new size: once, although Textual reports a size up to three times."""
        if not self._resized:
            self._resized = True
            self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        self._resized = False
        self.show_whole()

    def chosen(self) -> list[str]:
        """Node ids of the tests that a key applies to: the marked ones, or the current one."""
        current = self.current()
        return [current] if current is not None else []

    def current(self) -> str | None:
        """Node id of the current test."""
        return None

    def own_facts(self) -> frozenset[str]:
        """Facts that only this screen knows."""
        return frozenset()

    def facts(self) -> frozenset[str]:
        """The current facts, against which the needs of actions are checked."""
        board, found = self.view.board, set(self.own_facts())
        session = board.session
        held = {
            "can_run": self.view.can_run,
            "active": session.run is not None and session.run.active,
            "tests": bool(session.items),
            "test": bool(self.chosen()),
            "failed": any(session.counts[outcome] for outcome in FAILURES),
            "over": bool(board.of_test),
            "row": self.focused_target() is not None,
            "elsewhere": True,
        }
        found |= {fact for fact, holds in held.items() if holds}
        if found & {"failed", "over"}:
            found.add("problem")
        return frozenset(found)

    def focused_target(self) -> Target | None:
        """The target that enter would open."""
        focused = self.focused
        return focused.target_at(focused.cursor) if isinstance(focused, RowsView) else None

    def on_rows_view_moved(self) -> None:
        """Update the footer: other keys may be available on another row."""
        self.update_keys()

    def on_descendant_focus(self) -> None:
        """Update the footer: other keys may be available in another view."""
        self.update_keys()

    def update_keys(self) -> None:
        """Show the keys that are available now."""
        self.keys.show_actions(actions.usable(self.PLACES, self.facts()), self.size.width)
