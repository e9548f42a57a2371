"""Turns text in roles into strips; which colour a role has, only css/roles.tcss knows."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tdd_monitor.ui.format import visible
from tdd_monitor.ui.parts import ROLES, Part, Parts


class Painted(Widget):
    """A widget that draws its lines from parts."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"role--{role}" for role in ROLES}

    def role_style(self, role: str, *over: str) -> Style:
        """The style of a role, with others laid over it.

        Textual's own combination of component classes loses the colour of all but the last.
        """
        style = self.get_component_rich_style(f"role--{role}")
        for name in over:
            laid = self.get_component_rich_style(f"role--{name}", partial=True)
            if laid.bgcolor is not None:
                # Partial styles have backgrounds before blending.
                blended = self.get_component_rich_style(f"role--{name}")
                laid += Style(bgcolor=blended.bgcolor)
            style += laid
        return style

    def paint(self, parts: Iterable[Part], width: int, *over: str) -> Strip:
        """The parts as a strip of exactly `width` cells."""
        # Whatever comes in, no control character goes out to the terminal.
        strip = Strip(
            [
                Segment(text if text.isprintable() else visible(text), self.role_style(role, *over))
                for text, role in parts
                if text
            ]
        )
        return strip.adjust_cell_length(width, self.role_style("text", *over))


class PaintedLines(Painted):
    """A few fixed lines, as many as the style sheet gives it."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: Sequence[Parts] = ()

    def show(self, lines: Sequence[Parts]) -> None:
        """Show these lines; nothing is repainted when they are the same."""
        if lines != self.lines:
            self.lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the widget's content."""
        return self.paint(self.lines[y] if y < len(self.lines) else (), self.size.width)
