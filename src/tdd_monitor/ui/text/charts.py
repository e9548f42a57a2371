"""Bars, sparklines, histograms and waterfalls, as text with roles. Pure functions of numbers."""

from collections.abc import Sequence

from tdd_monitor.figures import LEVELS

from .parts import Parts


def bar(fraction: float, width: int, role: str, track: str = "track") -> Parts:
    """A horizontal bar; the filled part is heavy, the rest light, so it reads without colour."""
    halves = round(min(1.0, max(0.0, fraction)) * width * 2)
    if fraction > 0:
        halves = max(1, halves)
    full, half = divmod(halves, 2)
    filled = "━" * full + ("╸" if half else "")
    return ((filled, role), ("─" * (width - len(filled)), track))


def resample(points: Sequence[tuple[int, float]], width: int, end_ns: int) -> list[float]:
    """The maximum of a series in each of `width` equal intervals of time.

    An interval without a reading repeats the previous value: samples are sent only on change.
    """
    if not points or width <= 0:
        return []
    start_ns = points[0][0]
    span = max(1, end_ns - start_ns)
    if len(points) < width and span < width:
        return [value for _t, value in points]
    intervals: list[float | None] = [None] * width
    for t_ns, value in points:
        at = min(width - 1, max(0, (t_ns - start_ns) * width // span))
        known = intervals[at]
        intervals[at] = value if known is None else max(known, value)
    filled: list[float] = []
    last = points[0][1]
    for found in intervals:
        last = last if found is None else found
        filled.append(last)
    return filled


def columns(counts: Sequence[int], height: int) -> list[list[str]]:
    """One vertical bar per count: for each of `height` lines from the top, one character per column."""
    highest = max(counts, default=0)
    eighths = [0 if not count else max(1, round(count / highest * height * 8)) for count in counts]
    return [
        [LEVELS[min(8, max(0, value - line * 8))] for value in eighths] for line in range(height - 1, -1, -1)
    ]


def span(start: float, length: float, total: float, width: int, role: str) -> Parts:
    """An interval on an axis of `total`, in `width` cells: one bar of a waterfall."""
    if total <= 0 or width <= 0:
        return ((" " * max(0, width), "track"),)
    first = min(width - 1, max(0, int(start / total * width)))
    last = min(width, max(first + 1, round((start + length) / total * width)))
    return ((" " * first, "track"), ("━" * (last - first), role), (" " * (width - last), "track"))


def axis(total_label: str, width: int) -> str:
    """The scale of a waterfall: 0 at the left, the total at the right."""
    if width < len(total_label) + 2:
        return " " * width
    return "0" + "─" * (width - 1 - len(total_label)) + total_label
