"""What the pytest plugin knows of the project under test, for the rooms that run without pytest too.

PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""

from collections.abc import Callable
from pathlib import Path

_root: Path | None = None
on_progress: Callable[[str], None] | None = None


def root() -> Path:
    """Where pyproject.toml is looked for: pytest's rootdir, else the current directory."""
    return _root or Path.cwd()


def tell(rootdir: Path | None, progress: Callable[[str], None] | None) -> None:
    """Set the root, and who hears when a server takes time to start."""
    global _root, on_progress
    _root, on_progress = rootdir, progress
