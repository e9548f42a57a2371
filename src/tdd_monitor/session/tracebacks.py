"""What the text of a failure says: the error message, and where it happened."""

import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

_CHAINED = frozenset(
    {
        "The above exception was the direct cause of the following exception:",
        "During handling of the above exception, another exception occurred:",
    }
)
MESSAGE_LINES = 20
MESSAGE_CHARACTERS = 2000
# "tests/test_a.py:12: AssertionError", and Python's own 'File "tests/test_a.py", line 12'.
_PLACE = re.compile(r"(?P<file>(?:[A-Za-z]:)?[^\s:\"][^:\"\n]*\.\w+):(?P<line>\d+): ")
_NATIVE_PLACE = re.compile(r"(?:E?\s+)File \"(?P<file>[^\"\n]+)\", line (?P<line>\d+)")


class Place(NamedTuple):
    """A line of a file of the project, relative to pytest's rootdir; line 0 is unknown."""

    file: str
    line: int


def error_lines(text: str) -> list[str]:
    """The lines that pytest marks with E; of chained exceptions those of the last one."""
    lines = text.splitlines()
    start = max((number for number, line in enumerate(lines) if line.strip() in _CHAINED), default=0)
    marked = [line[1:] for line in lines[start:] if line.startswith("E ") or line == "E"]
    return textwrap.dedent("\n".join(marked)).splitlines()


def headline(lines: Sequence[str]) -> str:
    """The exception raised, in one line."""
    return next((line.strip() for line in error_lines("\n".join(lines)) if line.strip()), lines[0].strip())


def message(text: str) -> str:
    """The error message; without one, the last line, where Python writes it."""
    lines = error_lines(text) or [line.strip() for line in text.splitlines() if line.strip()][-1:]
    return "\n".join(lines[:MESSAGE_LINES])[:MESSAGE_CHARACTERS].strip()


def place(text: str, rootdir: str = "", directory: str = "") -> Place | None:
    """The last line of a file of the project that the text names.

    Relative names in the text start from `directory`, in which pytest was started.
    """
    found = None
    for line in text.splitlines():
        match = _PLACE.match(line) or _NATIVE_PLACE.match(line)
        if match is not None:
            file = _from_root(match["file"].replace("\\", "/"), rootdir, directory)
            if file:
                found = Place(file, int(match["line"]))
    return found


def _from_root(file: str, rootdir: str, directory: str) -> str:
    """The file relative to the rootdir, "" if it is not in the project."""
    root = rootdir.replace("\\", "/").rstrip("/") + "/"
    start = directory.replace("\\", "/").rstrip("/") + "/"
    if rootdir and directory and not _is_absolute(file):
        file = _normal(start + file)
    if rootdir:
        file = file.removeprefix(root)
    return "" if _is_absolute(file) or "site-packages/" in file or file.startswith("../") else file


def _is_absolute(file: str) -> bool:
    return file.startswith("/") or file[1:3] == ":/"


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
