"""Turns text with roles into strips; colours are defined only in css/1-roles.tcss.

The roles are component classes of one hidden widget. If every widget had them, styling them would take
three quarters of start-up and 30 ms of every change of focus.
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
    """A role's style from the style sheet: colours before blending with a background."""

    color: Color | None
    auto_color: bool
    background: Color | None
    text_style: Style


class Palette(Widget):
    """A hidden widget whose component classes carry the looks of all roles."""

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
        """Drop the cached looks, for instance after a change of theme."""
        self._looks.clear()
        super().notify_style_update()


class Painted(Widget):
    """A widget that draws its lines from parts. The app's first screen must contain the Palette."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._role_styles: dict[tuple[str, ...], Style] = {}

    def notify_style_update(self) -> None:
        """Drop the cached styles: the background may have changed."""
        self._role_styles.clear()
        super().notify_style_update()

    def role_style(self, *roles: str) -> Style:
        """The style of a role on this widget's background, with other roles laid over it."""
        style = self._role_styles.get(roles)
        if style is None:
            palette = self.app.screen_stack[0].query_one(Palette)
            style = _blended([palette.look(role) for role in roles], self.background_colors[1])
            self._role_styles[roles] = style
        return style

    def paint(self, parts: Iterable[Part], width: int, *over: str) -> Strip:
        """The parts as a strip of exactly `width` cells."""
        # No control character in incoming text may reach the terminal.
        strip = Strip(
            [
                Segment(text if text.isprintable() else visible(text), self.role_style(role, *over))
                for text, role in parts
                if text
            ]
        )
        return strip.adjust_cell_length(width, self.role_style("text", *over))


def _blended(looks: Sequence[Look], background: Color) -> Style:
    """Blend the looks on a background, the last one on top."""
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
    """A few fixed lines; with `height: auto`, as high as the lines require."""

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: Sequence[Parts] = ()

    def show(self, lines: Sequence[Parts]) -> None:
        """Show these lines; nothing is repainted when they are the same."""
        if lines != self.lines:
            height_changed = len(lines) != len(self.lines)
            self.lines = lines
            self.refresh(layout=height_changed)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The number of lines."""
        return len(self.lines)

    def render_line(self, y: int) -> Strip:
        """Render one line of the content."""
        return self.paint(self.lines[y] if y < len(self.lines) else (), self.size.width)
