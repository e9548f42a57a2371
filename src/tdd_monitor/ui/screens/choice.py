"""Dialogs: choose a sort column, confirm quitting, wait for pytest to exit."""

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tdd_monitor.runner.pytest_process.process import INTERRUPT_GRACE_S, TERMINATE_GRACE_S
from tdd_monitor.session.queries import SORT_KEYS
from tdd_monitor.ui.text.parts import Target, row
from tdd_monitor.ui.widgets import LinesView, RowsView


class SortScreen(ModalScreen[str | None]):
    """A list of columns: enter or a digit selects one, s moves to the next, esc cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q", "dismiss(None)", "back"), ("s", "next", "next")]

    def __init__(self, sort: str) -> None:
        super().__init__()
        self._sort = sort
        self._list = LinesView(id="choices")

    def compose(self) -> ComposeResult:
        """The bordered list."""
        yield self._list

    def on_mount(self) -> None:
        """Start at the current sort column."""
        rows = [
            row(
                (f" {digit} ", "key"),
                (f" {key:<12}", "strong" if key == self._sort else "text"),
                target=Target("sort", key),
            )
            for digit, key in enumerate(SORT_KEYS, 1)
        ]
        self._list.border_title = "Sort by"
        self._list.show(rows)
        self._list.move_to(list(SORT_KEYS).index(self._sort))
        self._list.focus()

    def action_next(self) -> None:
        """Move to the next column, wrapping around."""
        self._list.move_to((self._list.cursor + 1) % len(SORT_KEYS))

    def on_key(self, event: events.Key) -> None:
        """Select a column by its digit."""
        keys = list(SORT_KEYS)
        if event.character and event.character.isdecimal() and 0 < int(event.character) <= len(keys):
            event.stop()
            self.dismiss(keys[int(event.character) - 1])

    def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        """Select the column under the cursor."""
        event.stop()
        self.dismiss(event.target.value)


class QuitScreen(ModalScreen[bool]):
    """Asks before quitting while a run is in progress."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y,enter,q,ctrl+q,ctrl+c", "dismiss(True)", "quit"),
        ("n,escape", "dismiss(False)", "stay"),
    ]

    def __init__(self, in_progress: Callable[[], bool]) -> None:
        super().__init__()
        self._in_progress = in_progress
        self._text = Static()

    def compose(self) -> ComposeResult:
        """The question and its keys."""
        with Vertical(id="question"):
            yield self._text
            yield Static("\n[b]y[/] quit    [b]n[/] stay")

    def on_mount(self) -> None:
        """Ask, and follow the run, which may end before the answer."""
        self._update()
        self.set_interval(0.2, self._update)

    def _update(self) -> None:
        self._text.update(
            "[b]A run is in progress.[/] Quitting interrupts pytest."
            if self._in_progress()
            else "[b]The run has ended.[/] Quit now?"
        )


class EndingScreen(ModalScreen[None]):
    """Shown while pytest shuts down: the seconds waited, and the key that kills it."""

    BINDINGS: ClassVar[list[BindingType]] = [("q,ctrl+q,ctrl+c,x", "app.quit", "kill")]

    def __init__(self) -> None:
        super().__init__()
        self._since_s = time.monotonic()
        self._text = Static()

    def compose(self) -> ComposeResult:
        """The waiting time and the key."""
        with Vertical(id="question"):
            yield self._text
            yield Static("\n[b]q[/] kill pytest now and quit")

    def on_mount(self) -> None:
        """Start counting the seconds."""
        self._update()
        self.set_interval(0.2, self._update)

    def _update(self) -> None:
        waited_s = time.monotonic() - self._since_s
        limit_s = INTERRUPT_GRACE_S + TERMINATE_GRACE_S
        self._text.update(
            f"[b]Waiting for pytest to exit[/] … {waited_s:.0f} s\nIt will be killed after {limit_s:.0f} s."
        )
