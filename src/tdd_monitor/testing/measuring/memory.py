"""How much memory a test takes and keeps; for finding what holds on to it."""

import ctypes
import gc
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

MEGABYTE = 1024 * 1024


class MemoryGrowthWarning(UserWarning):
    """A test has left the process larger than it found it."""


@dataclass(frozen=True)
class MemorySnapshot:
    """Memory of this process, in megabytes of 2**20 bytes; `timestamp` in seconds of the monotonic clock."""

    label: str
    rss_mb: float
    vms_mb: float
    timestamp: float


@dataclass(frozen=True)
class MemoryRelief:
    """What `optimize_memory` did: objects collected, megabytes given back, tracked objects still alive."""

    collected: int
    freed_mb: float
    still_alive: tuple[str, ...]


class MemoryOptimizer:
    """Takes snapshots, and watches objects without keeping them alive."""

    _now = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self.snapshots: list[MemorySnapshot] = []
        self._process = psutil.Process()
        self._tracked: list[tuple[str, Callable[[], object]]] = []

    def track_object(self, thing: object, label: str = "") -> None:
        """Watch an object: `still_alive` names it while somebody holds it. TypeError for numbers and text."""
        self._tracked.append((label or repr(thing)[:80], weakref.ref(thing)))

    @property
    def still_alive(self) -> tuple[str, ...]:
        """The labels of tracked objects that somebody still holds."""
        return tuple(label for label, reference in self._tracked if reference() is not None)

    def take_memory_snapshot(self, label: str) -> MemorySnapshot:
        """Measure after a garbage collection, so that what is merely not yet collected does not count."""
        gc.collect()
        used = self._process.memory_info()
        snapshot = MemorySnapshot(label, used.rss / MEGABYTE, used.vms / MEGABYTE, self._now())
        self.snapshots.append(snapshot)
        return snapshot

    def optimize_memory(self) -> MemoryRelief:
        """Collect garbage and give free memory back to the operating system, where that is possible."""
        before = self._process.memory_info().rss
        collected = gc.collect()
        _trim()
        freed_mb = max(0, before - self._process.memory_info().rss) / MEGABYTE
        return MemoryRelief(collected, freed_mb, self.still_alive)


@contextmanager
def watch_memory(test_id: str, limit_mb: float, *, optimize: bool = False) -> Iterator[MemoryOptimizer]:
    """Warn when what runs inside leaves the process more than `limit_mb` larger."""
    optimizer = MemoryOptimizer()
    if optimize:
        optimizer.optimize_memory()
    before = optimizer.take_memory_snapshot("before")
    yield optimizer
    if optimize:
        optimizer.optimize_memory()
    grown_mb = optimizer.take_memory_snapshot("after").rss_mb - before.rss_mb
    if grown_mb > limit_mb:
        alive = optimizer.still_alive
        holders = (
            f" Still alive: {', '.join(alive[:5])}." if alive else " Look for caches, globals and open tasks."
        )
        text = f"{test_id} has left the process {grown_mb:.1f} MB larger, more than {limit_mb:g} MB.{holders}"
        warnings.warn(text, MemoryGrowthWarning, stacklevel=3)


def _trim() -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has none
            ctypes.CDLL(None).malloc_trim(0)
