"""Recognizes files that the tests themselves write, which must not rerun the tests endlessly.

The system does not say who wrote a file. So data that changes during a run never interrupts it, but triggers
one more run afterwards. Files that change again in that run are the tests' own; from then on, only their
changes between runs count.
"""

import time
from collections.abc import Iterable
from pathlib import Path

from .filter import CONFIGURATION, SOURCE_SUFFIXES

_CLOCK_NS = 20_000_000  # how coarse the time of a file may be


class WrittenByTests:
    """Sorts saves by whether a test run may have caused them."""

    def __init__(self) -> None:
        self._own: set[Path] = set()
        self._began_ns = self._ended_ns = 0
        self._running = self._is_repeat = False

    def began(self, is_repeat: bool) -> None:
        """Note the start of a run; `is_repeat` when only data changed in the previous run triggered it."""
        self._began_ns, self._running, self._is_repeat = time.time_ns(), True, is_repeat

    def ended(self) -> None:
        """Note the end of the run."""
        self._ended_ns, self._running = time.time_ns(), False

    def sort(self, changed: Iterable[Path]) -> tuple[list[Path], list[Path], list[Path]]:
        """Saves to act on at once, data to rerun for later, and files just found to be the tests' own."""
        at_once: list[Path] = []
        later: list[Path] = []
        own: list[Path] = []
        for path in changed:
            if is_source(path) or not self._is_of_run(path):
                at_once.append(path)
            elif path not in self._own:
                (own if self._is_repeat else later).append(path)
        self._own.update(own)
        return at_once, later, own

    def _is_of_run(self, path: Path) -> bool:
        if self._running:
            return True
        try:
            changed_ns = path.lstat().st_mtime_ns
        except OSError:
            return False
        return self._began_ns - _CLOCK_NS <= changed_ns <= self._ended_ns + _CLOCK_NS


def is_source(path: Path) -> bool:
    """True for source and configuration files, which tests rarely write."""
    return path.name.endswith(SOURCE_SUFFIXES) or path.name in CONFIGURATION
