"""A titled list of figures: the base of every panel but the tests."""

from collections.abc import Callable, Iterable

from textual import events

from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text.parts import Row
from tdd_monitor.ui.widgets import LinesView

from . import alerts, durations, memory, pools, workers

Compose = Callable[[View, int, int], Iterable[Row]]  # view, width, height
Heading = Callable[[View], str]


class Panel(LinesView):
    """Shows what `compose` makes of a view, in the width and height that there are."""

    def __init__(self, digit: int, title: str, compose: Compose, heading: Heading, view: View) -> None:
        super().__init__(id=title)
        self.digit, self.panel_title = digit, title
        self._compose_rows, self._heading = compose, heading
        self.view = view

    def catch_up(self) -> None:
        """Show what is in the view."""
        view = self.view
        region = self.scrollable_content_region
        if region.width <= 0 or region.height <= 0:
            return
        self.show(list(self._compose_rows(view, region.width, region.height)))
        heading = self._heading(view)
        self.border_title = title(self.digit, self.panel_title, heading)

    def on_resize(self, event: events.Resize) -> None:
        """The same view in another size."""
        self.catch_up()


def title(digit: int, name: str, heading: str) -> str:
    """The title of a panel: the key that leads there, its name, what it has to say in short."""
    more = f" [dim]· {escape(heading)}[/]" if heading else ""
    return f"[b]{digit}[/] {name.capitalize()}{more}"


def escape(text: str) -> str:
    """Text that titles, which take markup, show as it is."""
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
