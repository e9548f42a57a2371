"""What the screens of tabs over a body of rows have in common; what is in them, each says itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.widget import Widget

from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text.parts import Row
from tdd_monitor.ui.widgets import LinesView, TabLine

from .live import LiveScreen


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a tab, and whether there is anything in it."""

    name: str
    filled: bool = True


class TabbedScreen(LiveScreen):
    """A line of tabs and the rows of the active one; `esc` leads back to where it was opened."""

    def __init__(self, view: View, tab: int = 0) -> None:
        super().__init__(view)
        self.tab = tab
        self.tabs = TabLine(id="tabs")
        self.body = LinesView(every_row=True, id="body")

    # What a subclass says

    def head(self) -> Sequence[Widget]:
        """Widgets above the tabs."""
        return ()

    def labels(self) -> Sequence[Label]:
        """The tabs, always the same number of them."""
        raise NotImplementedError

    def rows(self, width: int) -> Sequence[Row]:
        """The rows of the active tab, for a body of `width` cells."""
        raise NotImplementedError

    # What all of them do

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield from self.head()
        yield self.tabs
        yield self.body
        yield from self.compose_frame()

    def on_mount(self) -> None:
        """The body takes the keys that move."""
        self.body.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Names, bars and wrapped texts depend on the width."""
        self.call_after_refresh(self.show_tab)

    def show_tab(self, reset: bool = False) -> None:
        """Show the active tab as it is now; with `reset` from its start."""
        labels = self.labels()
        empty = frozenset(index for index, label in enumerate(labels) if not label.filled)
        self.tabs.show_tabs([label.name for label in labels], self.tab, empty)
        self.body.show(self.rows(self.body.inner_width), reset)
        self.update_keys()

    def current(self) -> str | None:
        """The test under the cursor."""
        target = self.body.target_at(self.body.cursor)
        return target.value if target is not None and target.kind == "test" else None

    def own_facts(self) -> frozenset[str]:
        """There is always something to go back to."""
        return frozenset({"page"})

    def action_back(self) -> None:
        """Back to where it was opened."""
        self.app.pop_screen()

    def action_tab_step(self, step: int) -> None:
        """Next or previous tab, round the end."""
        self.tab = (self.tab + step) % len(self.labels())
        self.show_tab(reset=True)
