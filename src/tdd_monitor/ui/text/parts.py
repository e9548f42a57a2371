"""Text with roles, which pure functions hand to widgets. Roles are styled in css/1-roles.tcss."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

Part = tuple[str, str]  # text, role
Parts = tuple[Part, ...]

ROLES = (
    "text",
    "dim",
    "strong",
    "accent",
    "head",
    "passed",
    "failed",
    "error",
    "skipped",
    "xfailed",
    "xpassed",
    "lost",
    "flaky",
    "running",
    "pending",
    "idle",
    "warning",
    "critical",
    "good",
    "track",
    "chart",
    "chart-over",
    "setup",
    "call",
    "teardown",
    "fixture",
    "shared",
    "key",
    # Overlays on another role:
    "cursor",
    "cursor-away",
    "stale",
)


@dataclass(frozen=True, slots=True)
class Target:
    """What `enter` opens on a row: a test, several, a fixture, a place in a file, a page, a panel."""

    kind: str  # test, fixture, tests, place, page, panel
    value: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a view."""

    parts: Parts = ()
    target: Target | None = None


def row(*parts: Part, target: Target | None = None) -> Row:
    """A row of these parts."""
    return Row(parts, target)


def text_row(text: str, role: str = "text") -> Row:
    """A row of one part."""
    return Row(((text, role),))


BLANK = Row()


def width_of(parts: Iterable[Part]) -> int:
    """The width of the parts, in cells."""
    return sum(cell_len(text) for text, _role in parts)


def clip(parts: Iterable[Part], width: int) -> Parts:
    """The parts in at most `width` cells; cut with an ellipsis."""
    kept: list[Part] = []
    left = width
    for text, role in parts:
        length = cell_len(text)
        if length > left:
            if left > 0:
                kept.append((set_cell_size(text, left - 1) + "…", role))
            break
        kept.append((text, role))
        left -= length
    return tuple(kept)


def spread(left: Parts, right: Parts, width: int) -> Parts:
    """`left` and `right` at the two ends of `width` cells; without `right` if both do not fit."""
    gap = width - width_of(left) - width_of(right)
    if gap < 1:
        return left
    return (*left, (" " * gap, "text"), *right)
