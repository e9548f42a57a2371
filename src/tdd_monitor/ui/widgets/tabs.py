"""A line of tab names; the active one is marked, empty ones are dim."""

from collections.abc import Sequence

from tdd_monitor.ui.text.parts import Part, width_of

from .painted import PaintedLines


class TabLine(PaintedLines):
    """Shows the names of tabs and which one is active."""

    def show_tabs(self, names: Sequence[str], active: int, empty: frozenset[int] = frozenset()) -> None:
        """Show these tabs; if they do not fit, scroll so that the active one is visible."""
        first = 0
        width = self.size.width
        while first < active and width_of(_parts(names[first : active + 2], active - first)) > width:
            first += 1
        shifted = frozenset(index - first for index in empty)
        self.show([tuple(_parts(names[first:], active - first, shifted))])


def _parts(names: Sequence[str], active: int, empty: frozenset[int] = frozenset()) -> list[Part]:
    parts: list[Part] = []
    for index, name in enumerate(names):
        if index == active:
            parts += [("▐", "accent"), (f"{name}", "head"), ("▌", "accent")]
        else:
            parts += [(f" {name} ", "idle" if index in empty else "text")]
    return parts
