"""Names and texts in a known width. Pure functions; how figures read, `verdict.wording` says."""

from rich.cells import cell_len, set_cell_size

from tdd_monitor import terminal

visible, plain_lines = terminal.visible, terminal.plain_lines

ELLIPSIS = "…"
PATH_MIN = 6  # a shorter rest of a file name tells nothing


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
