"""A titled list of figures: every panel except the test table."""

from collections.abc import Callable, Iterable

from textual import events

from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text.parts import Row
from tdd_monitor.ui.widgets import LinesView

from . import alerts, durations, memory, pools, workers

Compose = Callable[[View, int, int], Iterable[Row]]  # view, width, height
Heading = Callable[[View], str]


class Panel(LinesView):
    """Shows the rows that `compose` returns for a view and the panel's width and height."""

    def __init__(self, digit: int, title: str, compose: Compose, heading: Heading, view: View) -> None:
        super().__init__(id=title)
        self.digit, self.panel_title = digit, title
        self._compose_rows, self._heading = compose, heading
        self.view = view

    def catch_up(self) -> None:
        """Show the current view."""
        view = self.view
        region = self.scrollable_content_region
        if region.width <= 0 or region.height <= 0:
            return
        self.show(list(self._compose_rows(view, region.width, region.height)))
        heading = self._heading(view)
        self.show_titles(title(self.digit, self.panel_title, heading))

    def on_resize(self, event: events.Resize) -> None:
        """Compose the view for the new size."""
        self.catch_up()


def title(digit: int, name: str, heading: str) -> str:
    """The title of a panel: its key, its name and its heading."""
    more = f" [dim]· {escape(heading)}[/]" if heading else ""
    return f"[b]{digit}[/] {name.capitalize()}{more}"


def escape(text: str) -> str:
    """Escape text for titles, which interpret markup."""
    return text.replace("[", r"\[")


def make_panels(view: View) -> list[Panel]:
    """The five panels beside the tests."""
    return [
        Panel(2, "durations", durations.rows, durations.heading, view),
        Panel(3, "alerts", alerts.rows, alerts.heading, view),
        Panel(4, "memory", memory.rows, memory.heading, view),
        Panel(5, "pools", pools.rows, pools.heading, view),
        Panel(6, "workers", workers.rows, workers.heading, view),
    ]
