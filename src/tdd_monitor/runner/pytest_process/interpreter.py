"""Finds the Python that runs the tests: the project's, not the one the monitor is installed in."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path


class InterpreterError(Exception):
    """The chosen interpreter cannot be used; the message says which and what to do."""


def _in_environment(directory: Path) -> Path:
    return directory / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def find_python(chosen: str, root: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Path of the interpreter to run pytest with.

    `chosen` (--python or the `python` setting: a path, a name on PATH or the directory of a virtual
    environment) wins, then the active virtual environment, then the project's `.venv` or `venv`,
    then the monitor's own.
    Raises InterpreterError when `chosen` does not exist.
    """
    if chosen:
        return _chosen(chosen, root)
    active = environ.get("VIRTUAL_ENV")
    candidates = [Path(active)] if active else []
    candidates += [root / ".venv", root / "venv"]
    for directory in candidates:
        python = _in_environment(directory)
        if python.is_file():
            return str(python)
    return sys.executable


def _chosen(chosen: str, root: Path) -> str:
    for base in (Path.cwd(), root):
        path = base / Path(chosen).expanduser()
        if path.is_dir():
            path = _in_environment(path)
        if path.is_file():
            return str(path)
    found = shutil.which(chosen)
    if found is None:
        raise InterpreterError(
            f"No Python interpreter at {chosen}.\n"
            "Pass the path of one to --python (such as .venv/bin/python), or omit the option to use "
            "the active virtual environment or the project's .venv."
        )
    return found
