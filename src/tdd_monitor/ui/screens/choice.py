"""Small questions: which column to sort by, whether to leave, whether to wait for pytest."""

import time
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
    """A list of columns; enter or the digit takes one, s goes on, esc leaves it as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q", "dismiss(None)", "back"), ("s", "next", "next")]

    def __init__(self, sort: str) -> None:
        super().__init__()
        self._sort = sort
        self._list = LinesView(id="choices")

    def compose(self) -> ComposeResult:
        """The list in its frame."""
        yield self._list

    def on_mount(self) -> None:
        """Start at what is sorted by now."""
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
        """The next column, round the end."""
        self._list.move_to((self._list.cursor + 1) % len(SORT_KEYS))

    def on_key(self, event: events.Key) -> None:
        """A digit takes its column."""
        keys = list(SORT_KEYS)
        if event.character and event.character.isdecimal() and 0 < int(event.character) <= len(keys):
            event.stop()
            self.dismiss(keys[int(event.character) - 1])

    def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        """Take the column under the cursor."""
        event.stop()
        self.dismiss(event.target.value)


class QuitScreen(ModalScreen[bool]):
    """Asks before a run that is going is ended."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y,enter,q,ctrl+q,ctrl+c", "dismiss(True)", "quit"),
        ("n,escape", "dismiss(False)", "stay"),
    ]

    def compose(self) -> ComposeResult:
        """Question and keys."""
        with Vertical(id="question"):
            yield Static("[b]A run is in progress.[/] Quitting interrupts pytest.")
            yield Static("\n[b]y[/] quit    [b]n[/] stay")


class EndingScreen(ModalScreen[None]):
    """Shown while pytest ends: for how long it has been ending, and the key that kills it."""

    BINDINGS: ClassVar[list[BindingType]] = [("q,ctrl+q,ctrl+c,x", "app.quit", "kill")]

    def __init__(self) -> None:
        super().__init__()
        self._since_s = time.monotonic()
        self._text = Static()

    def compose(self) -> ComposeResult:
        """What is going on, and the key."""
        with Vertical(id="question"):
            yield self._text
            yield Static("\n[b]q[/] kill pytest now and quit")

    def on_mount(self) -> None:
        """Count the seconds."""
        self._tell()
        self.set_interval(0.2, self._tell)

    def _tell(self) -> None:
        passed_s = time.monotonic() - self._since_s
        limit_s = INTERRUPT_GRACE_S + TERMINATE_GRACE_S
        self._text.update(
            f"[b]Waiting for pytest to exit[/] … {passed_s:.0f} s\nIt will be killed after {limit_s:.0f} s."
        )
