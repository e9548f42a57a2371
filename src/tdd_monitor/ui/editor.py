"""The command that opens a file at a line in the user's editor."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath

# Editors by the syntax of their line argument. Any other editor gets the file only.
TERMINAL = ("vi", "vim", "nvim", "view", "nano", "pico", "emacs", "emacsclient", "micro", "kak", "joe", "mg")
PLUS_LINE = frozenset((*TERMINAL, "gedit", "kate"))
GOTO = frozenset(("code", "code-insiders", "codium", "vscodium", "cursor", "windsurf"))
COLON = frozenset(("hx", "helix", "subl", "sublime_text", "zed", "atom", "lapce"))
LINE_OPTION = frozenset(("pycharm", "idea", "charm", "clion", "fleet", "mate"))


def chosen(environ: Mapping[str, str]) -> str:
    """$VISUAL, else $EDITOR, else the system's default editor."""
    fallback = "notepad" if sys.platform == "win32" else "vi"
    return environ.get("VISUAL", "").strip() or environ.get("EDITOR", "").strip() or fallback


def command(editor: str, file: Path, line: int) -> list[str]:
    """The command line; an unknown editor gets the file without the line."""
    words = shlex.split(editor, posix=os.name == "posix") or ["vi"]
    name = PurePath(words[0]).name.removesuffix(".exe").lower()
    if line > 0:
        if name in PLUS_LINE:
            return [*words, f"+{line}", str(file)]
        if name in GOTO:
            return [*words, "--goto", f"{file}:{line}"]
        if name in COLON:
            return [*words, f"{file}:{line}"]
        if name in LINE_OPTION:
            return [*words, "--line", str(line), str(file)]
        if name == "notepad++":
            return [*words, f"-n{line}", str(file)]
    return [*words, str(file)]


async def run(command: list[str]) -> None:
    """Run the editor until it exits; meanwhile ctrl+c is left to it."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        process = await asyncio.create_subprocess_exec(*command)
        await process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def locate(place: str, rootdir: str, root: Path) -> tuple[Path, int]:
    """File and line of "path:line"; a relative path is resolved against pytest's rootdir."""
    file, _colon, line = place.rpartition(":")
    if not file or not line.isdigit():
        file, line = place, "0"
    path = Path(file)
    if not path.is_absolute():
        path = Path(rootdir or root) / path
    return path, int(line)
