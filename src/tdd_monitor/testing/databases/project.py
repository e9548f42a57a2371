"""What the pytest plugin knows about the project under test, for packages that also run without pytest.

PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""

from collections.abc import Callable
from pathlib import Path

_root: Path | None = None
on_progress: Callable[[str], None] | None = None


def root() -> Path:
    """Return the directory of pyproject.toml: pytest's rootdir, else the current directory."""
    return _root or Path.cwd()


def configure(rootdir: Path | None, progress: Callable[[str], None] | None) -> None:
    """Set the root, and the callback for a slow server start."""
    global _root, on_progress
    _root, on_progress = rootdir, progress
