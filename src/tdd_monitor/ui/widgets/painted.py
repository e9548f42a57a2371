"""Turns text in roles into strips; which colour a role has, only css/1-roles.tcss knows.

The roles are component classes of one hidden widget. Were they those of every widget that uses
them, three quarters of start-up and 30 ms of every change of focus would go into styling them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from tdd_monitor.ui.text.format import visible
from tdd_monitor.ui.text.parts import ROLES, Part, Parts


@dataclass(frozen=True, slots=True)
class Look:
    """What the style sheet says about a role: colours before they are laid on a background."""

    color: Color | None
    auto_color: bool
    background: Color | None
    text_style: Style


class Palette(Widget):
    """Never seen; the style sheet gives its component classes the looks of all roles."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"role--{role}" for role in ROLES}

    def __init__(self) -> None:
        super().__init__(id="palette")
        self._looks: dict[str, Look] = {}

    def look(self, role: str) -> Look:
        """The look of a role."""
        found = self._looks.get(role)
        if found is None:
            styles = self.get_component_styles(f"role--{role}")
            found = self._looks[role] = Look(
                styles.color if styles.has_rule("color") else None,
                styles.has_rule("auto_color") and styles.auto_color,
                styles.background if styles.has_rule("background") else None,
                styles.text_style,
            )
        return found

    def notify_style_update(self) -> None:
        """Another theme, for instance."""
        self._looks.clear()
        super().notify_style_update()


class Painted(Widget):
    """A widget that draws its lines from parts. The first screen of its app has the Palette."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._role_styles: dict[tuple[str, ...], Style] = {}

    def notify_style_update(self) -> None:
        """The background may be another one."""
        self._role_styles.clear()
        super().notify_style_update()

    def role_style(self, *roles: str) -> Style:
        """The style of a role on this widget's background, with other roles laid over it."""
        style = self._role_styles.get(roles)
        if style is None:
            palette = self.app.screen_stack[0].query_one(Palette)
            style = _laid([palette.look(role) for role in roles], self.background_colors[1])
            self._role_styles[roles] = style
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


def _laid(looks: Sequence[Look], background: Color) -> Style:
    """The looks one over the other, the last one on top, on a background."""
    color, auto, text_style = Color(255, 255, 255), True, Style()
    for look in looks:
        background = background if look.background is None else background + look.background
        if look.color is not None:
            color, auto = look.color, look.auto_color
        text_style += look.text_style
    if auto:
        color = background.get_contrast_text(color.a)
    return Style.from_color((background + color).rich_color, background.rich_color) + text_style


class PaintedLines(Painted):
    """A few fixed lines, as many as the style sheet gives it or, with `height: auto`, as there are."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: Sequence[Parts] = ()

    def show(self, lines: Sequence[Parts]) -> None:
        """Show these lines; nothing is repainted when they are the same."""
        if lines != self.lines:
            other_height = len(lines) != len(self.lines)
            self.lines = lines
            self.refresh(layout=other_height)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are."""
        return len(self.lines)

    def render_line(self, y: int) -> Strip:
        """One line of the widget's content."""
        return self.paint(self.lines[y] if y < len(self.lines) else (), self.size.width)
