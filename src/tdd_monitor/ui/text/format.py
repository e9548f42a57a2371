"""Names and texts in a known width. Pure functions; how figures read, `verdict.wording` says."""

from rich.cells import cell_len, set_cell_size

from tdd_monitor import terminal

visible, plain_lines = terminal.visible, terminal.plain_lines

ELLIPSIS = "…"
PATH_MIN = 6  # a shorter rest of a file name tells nothing
HEAD_MIN = 7  # what is left of a function's name when its parameters take all the room


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
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    tail = text[-max(1, width - 1) :] if width > 1 else ""
    while cell_len(tail) > width - 1:
        tail = tail[1:]
    return ELLIPSIS + tail


def cut_middle(text: str, width: int) -> str:
    """Both ends of `text` in at most `width` cells, an ellipsis between them."""
    if _fits(text, width):
        return visible(text)
    if width < 2:
        return ELLIPSIS[:width]
    end = (width - 1) // 2
    tail = visible(text[-width:])
    tail = cut_left(tail, end + 1).removeprefix(ELLIPSIS) if end else ""
    return set_cell_size(visible(text[:width]), width - 1 - end) + ELLIPSIS + tail


def name(nodeid: str, width: int) -> str:
    """A node id in at most `width` cells: the directories go first, then the file, then the middle."""
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
    """A function in at most `width` cells: its parameters tell it from others, so its name is cut first."""
    head, bracket, rest = text.partition("[")
    if _fits(text, width) or not bracket or width < 2 * HEAD_MIN:
        return cut_middle(text, width)
    # Where the parameters must be cut too, the name need not suffer most.
    least = HEAD_MIN if _fits(bracket + rest, width - HEAD_MIN) else max(HEAD_MIN, width // 3)
    parameters = cut_middle(bracket + rest, width - min(least, len(head)))
    return cut_middle(head, width - cell_len(parameters)) + parameters


def _fits(text: str, width: int) -> bool:
    # Ids of thousands of characters exist; nothing beyond the width needs to be looked at.
    return len(text) <= width and cell_len(visible(text)) <= width


def short(nodeid: str, width: int | None = None) -> str:
    """The last part of a node id, the function with its parameters; in `width` cells at most."""
    path, colons, rest = nodeid.partition("::")
    head, bracket, parameters = rest.partition("[")
    text = head.rpartition("::")[2] + bracket + parameters if colons else path
    return visible(text) if width is None else _function(text, width)


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells (2 at least), broken between words where possible."""
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
    """How many characters from the start of `text` fit into `width` cells."""
    left = width
    for index, char in enumerate(text):
        left -= cell_len(char)
        if left < 0:
            return index
    return len(text)
