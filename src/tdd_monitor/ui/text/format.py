"""Names and texts fitted to a width. Pure functions; `verdict.wording` formats figures."""

from rich.cells import cell_len, set_cell_size

from tdd_monitor import terminal

visible, plain_lines = terminal.visible, terminal.plain_lines

ELLIPSIS = "…"
PATH_MIN = 6  # cells of a file name below which it is not worth showing
HEAD_MIN = 7  # cells kept of a function's name when its parameters take all the space


def fit(text: str, width: int, right: bool = False) -> str:
    """`text` in exactly `width` cells, cut with an ellipsis or padded."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + ELLIPSIS
    return " " * (width - length) + text if right else text + " " * (width - length)


def cut_left(text: str, width: int) -> str:
    """The end of `text` that fits into `width` cells, after an ellipsis."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    tail = text[-max(1, width - 1) :] if width > 1 else ""
    while cell_len(tail) > width - 1:
        tail = tail[1:]
    return ELLIPSIS + tail


def cut_middle(text: str, width: int) -> str:
    """Both ends of `text` in at most `width` cells, with an ellipsis between them."""
    if _fits(text, width):
        return visible(text)
    if width < 2:
        return ELLIPSIS[:width]
    end = (width - 1) // 2
    tail = visible(text[-width:])
    tail = cut_left(tail, end + 1).removeprefix(ELLIPSIS) if end else ""
    return set_cell_size(visible(text[:width]), width - 1 - end) + ELLIPSIS + tail


def name(nodeid: str, width: int) -> str:
    """A node id in at most `width` cells: drops the directories first, then the file, then the middle."""
    path, colons, rest = nodeid.partition("::")
    if len(nodeid) <= 4 * width:
        whole = visible(nodeid)
        if cell_len(whole) <= width:
            return whole
        shorter = f"{ELLIPSIS}/{visible(path.rpartition('/')[2] + colons + rest)}"
        if "/" in path and cell_len(shorter) <= width:
            return shorter
    tail = visible(path[-width - 1 :])
    if not colons:
        return cut_left(tail, width)
    inner = _function(rest, width)
    room = width - cell_len(inner) - len(colons)
    return f"{cut_left(tail, room)}{colons}{inner}" if room >= PATH_MIN else inner


def _function(text: str, width: int) -> str:
    """A function in at most `width` cells: cut its name first, as the parameters distinguish it."""
    head, bracket, rest = text.partition("[")
    if _fits(text, width) or not bracket or width < 2 * HEAD_MIN:
        return cut_middle(text, width)
    # If the parameters must be cut too, keep a third of the width for the name.
    least = HEAD_MIN if _fits(bracket + rest, width - HEAD_MIN) else max(HEAD_MIN, width // 3)
    parameters = cut_middle(bracket + rest, width - min(least, len(head)))
    return cut_middle(head, width - cell_len(parameters)) + parameters


def _fits(text: str, width: int) -> bool:
    # Ids can be thousands of characters long: check the length before measuring cells.
    return len(text) <= width and cell_len(visible(text)) <= width


def short(nodeid: str, width: int | None = None) -> str:
    """The last part of a node id, the function with its parameters, in at most `width` cells."""
    path, colons, rest = nodeid.partition("::")
    head, bracket, parameters = rest.partition("[")
    text = head.rpartition("::")[2] + bracket + parameters if colons else path
    return visible(text) if width is None else _function(text, width)


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells (minimum 2), broken between words where possible."""
    width = max(2, width)  # the widest character
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
        while (fitting := _fitting(line, width)) < len(line):
            lines.append(line[:fitting])
            line = line[fitting:]
    return [*lines, line] if line or not lines else lines


def _fitting(text: str, width: int) -> int:
    """The number of leading characters of `text` that fit into `width` cells."""
    left = width
    for index, char in enumerate(text):
        left -= cell_len(char)
        if left < 0:
            return index
    return len(text)
