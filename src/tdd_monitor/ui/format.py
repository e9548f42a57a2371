"""Figures and names as text of a known width. Pure functions; units are always written out."""

import math

from rich.cells import cell_len, set_cell_size

from tdd_monitor import terminal
from tdd_monitor.session.metrics import MB, NS_PER_MS

visible, plain_lines = terminal.visible, terminal.plain_lines

ELLIPSIS = "…"
PATH_MIN = 6  # a shorter rest of a file name tells nothing

# Below these milliseconds, in this unit, with so many decimals: three figures always.
_STEPS = (
    (9.995, 1, 2, "ms"),
    (99.95, 1, 1, "ms"),
    (999.5, 1, 0, "ms"),
    (9995, 1000, 2, "s"),
    (99950, 1000, 1, "s"),
)


def milliseconds(value: float) -> str:
    """A duration in at most 7 cells: 0.42 ms, 12.3 ms, 340 ms, 1.24 s, 75.0 s, 12m 05s."""
    if math.isnan(value):
        return "-"
    for below, per_unit, decimals, unit in _STEPS:
        if value < below:
            return f"{value / per_unit:.{decimals}f} {unit}"
    return clock(value / 1000)


def nanoseconds(value: float) -> str:
    """A duration given in nanoseconds, as `milliseconds` writes it."""
    return milliseconds(value / NS_PER_MS)


def clock(seconds: float) -> str:
    """A longer time: 8s, 2m 05s, 1h 03m."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def size(value: float, signed: bool = False) -> str:
    """Bytes as MB (GB from 10,000 MB on), with a sign for differences."""
    megabytes = value / MB
    sign = "+" if signed else ""
    if abs(megabytes) >= 9_999.5:
        return f"{megabytes / 1024:{sign}.1f} GB"
    if abs(megabytes) >= 99.95:
        return f"{megabytes:{sign}.0f} MB"
    return f"{megabytes:{sign}.1f} MB"


def factor(value: float) -> str:
    """How many times: 1.4x, 12x."""
    if math.isinf(value):
        return ""
    return f"{value:.1f}x" if value < 9.95 else f"{min(value, 9999):.0f}x"


def plural(count: int, noun: str) -> str:
    """1 test, 2 tests, 12,345 tests."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def fit(text: str, width: int, right: bool = False) -> str:
    """`text` in exactly `width` cells, cut with an ellipsis or padded."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + ELLIPSIS
    return " " * (width - length) + text if right else text + " " * (width - length)


def cut_left(text: str, width: int) -> str:
    """The end of `text` that fits into `width` cells, behind an ellipsis."""
    if cell_len(text) <= width:
        return text
    tail = text[-max(1, width - 1) :] if width > 1 else ""
    while cell_len(tail) > width - 1:
        tail = tail[1:]
    return ELLIPSIS + tail


def name(nodeid: str, width: int) -> str:
    """A node id in at most `width` cells: the directories go first, then the file, then the end."""
    path, colons, rest = nodeid.partition("::")
    if len(nodeid) <= 4 * width:
        whole = visible(nodeid)
        if cell_len(whole) <= width:
            return whole
        shorter = f"{ELLIPSIS}/{visible(path.rpartition('/')[2] + colons + rest)}"
        if "/" in path and cell_len(shorter) <= width:
            return shorter
    # Ids of thousands of characters exist; nothing beyond the width needs to be looked at.
    tail = path[-width - 1 :]
    if not colons:
        return cut_left(visible(tail), width)
    inner = visible(rest[: width + 1])
    room = width - cell_len(inner) - len(colons)
    if room >= PATH_MIN:
        return f"{cut_left(visible(tail), room)}{colons}{inner}"
    return fit(inner, width).rstrip()


def short(nodeid: str) -> str:
    """The last part of a node id: the function with its parameters."""
    path, colons, rest = nodeid.partition("::")
    head, bracket, parameters = rest.partition("[")
    return visible(head.rpartition("::")[2] + bracket + parameters) if colons else visible(path)


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken between words where possible."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
        while cell_len(line) > width:
            head = set_cell_size(line, width).rstrip()
            lines.append(head)
            line = line[max(1, len(head)) :]
    return [*lines, line] if line or not lines else lines
