"""Base of the screens with a line of tabs above a body of rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.widget import Widget

from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text.parts import Row
from tdd_monitor.ui.widgets import LinesView, TabLine

from .live import LiveScreen


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a tab, and whether it has content."""

    name: str
    filled: bool = True


class TabbedScreen(LiveScreen):
    """A line of tabs and the rows of the active one; `esc` returns to the screen below."""

    def __init__(self, view: View, tab: int = 0) -> None:
        super().__init__(view)
        self.tab = tab
        self.tabs = TabLine(id="tabs")
        self.body = LinesView(every_row=True, id="body")

    # To be implemented by subclasses

    def head(self) -> Sequence[Widget]:
        """Widgets above the tabs."""
        return ()

    def labels(self) -> Sequence[Label]:
        """The tabs; their number must not change."""
        raise NotImplementedError

    def rows(self, width: int) -> Sequence[Row]:
        """The rows of the active tab, for a body of `width` cells."""
        raise NotImplementedError

    # Shared behaviour

    def compose(self) -> ComposeResult:
        """All widgets, top to bottom."""
        yield from self.head()
        yield self.tabs
        yield self.body
        yield from self.compose_frame()

    def on_mount(self) -> None:
        """Focus the body, which handles the movement keys."""
        self.body.focus()

    def show_whole(self) -> None:
        """Compose for the current width, on which names, bars and wrapped text depend."""
        self.show_tab()

    def show_tab(self, reset: bool = False) -> None:
        """Show the current content of the active tab; with `reset`, from the top."""
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
        """Always "page": there is a screen to return to."""
        return frozenset({"page"})

    def action_back(self) -> None:
        """Return to the screen below."""
        self.app.pop_screen()

    def action_tab_step(self, step: int) -> None:
        """Go to the next or previous tab, wrapping around."""
        self.tab = (self.tab + step) % len(self.labels())
        self.show_tab(reset=True)
