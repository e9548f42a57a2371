"""How much memory a test uses and keeps, and which objects are still referenced."""

import ctypes
import gc
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypedDict

import psutil

from tdd_monitor import figures


class MemoryGrowthWarning(UserWarning):
    """A test left the process larger than it was before."""


class MemorySnapshot(TypedDict):
    """Memory of this process, in megabytes of 2**20 bytes; `timestamp` in seconds of the monotonic clock."""

    label: str
    rss_mb: float
    vms_mb: float
    timestamp: float


class MemoryRelief(TypedDict):
    """Result of `optimize_memory`: objects collected, megabytes freed, tracked objects still alive."""

    collected: int
    freed_mb: float
    still_alive: list[str]


class MemoryOptimizer:
    """Takes snapshots, and holds objects until they are released together.

    `tracked_objects` has pairs of an object and its type or label, `memory_snapshots` the last snapshot of
    each label.
    """

    _now = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self.tracked_objects: list[tuple[object, str | None]] = []
        self.memory_snapshots: dict[str, MemorySnapshot] = {}
        self._process = psutil.Process()

    def track_object(self, obj: object, obj_type: str | None = None) -> None:
        """Hold an object of any type until `optimize_memory` releases it; `obj_type` names it in reports."""
        self.tracked_objects.append((obj, obj_type))

    def take_memory_snapshot(self, label: str) -> MemorySnapshot:
        """Measure after a garbage collection, so that uncollected garbage does not count."""
        gc.collect()
        used = self._process.memory_info()
        snapshot = MemorySnapshot(
            label=label, rss_mb=used.rss / figures.MB, vms_mb=used.vms / figures.MB, timestamp=self._now()
        )
        self.memory_snapshots[label] = snapshot
        return snapshot

    def optimize_memory(self) -> MemoryRelief:
        """Release the tracked objects, collect garbage and return free memory to the operating system.

        `still_alive` names the tracked objects that something else references. Objects without weak
        references (numbers, strings, lists, dicts) are not checked.
        """
        before = self._process.memory_info().rss
        watched = [_watch(*pair) for pair in self.tracked_objects]
        self.tracked_objects.clear()
        collected = gc.collect()
        _trim()
        return MemoryRelief(
            collected=collected,
            freed_mb=max(0, before - self._process.memory_info().rss) / figures.MB,
            still_alive=[label for label, reference in watched if reference() is not None],
        )


@contextmanager
def warn_of_growth(test_id: str, limit_mb: float) -> Iterator[MemoryOptimizer]:
    """Warn when the process is more than `limit_mb` larger after the block; tracked objects do not count."""
    optimizer = MemoryOptimizer()
    start = optimizer.take_memory_snapshot("test_start")
    yield optimizer
    relief = optimizer.optimize_memory()
    end = optimizer.take_memory_snapshot("test_end")
    _warn(test_id, end["rss_mb"] - start["rss_mb"], limit_mb, relief)


@contextmanager
def optimized_memory(test_id: str, limit_mb: float) -> Iterator[MemoryOptimizer]:
    """Release memory before and after the block; warn when it ends more than `limit_mb` larger.

    What the block still tracks at its end counts, and is released after that.
    """
    optimizer = MemoryOptimizer()
    optimizer.optimize_memory()
    start = optimizer.take_memory_snapshot("test_start")
    yield optimizer
    _trim()
    end = optimizer.take_memory_snapshot("test_end")
    relief = optimizer.optimize_memory()
    _warn(test_id, end["rss_mb"] - start["rss_mb"], limit_mb, relief)


def _warn(test_id: str, grown_mb: float, limit_mb: float, relief: MemoryRelief) -> None:
    if grown_mb <= limit_mb:
        return
    alive = relief["still_alive"]
    advice = f"Still alive: {', '.join(alive[:5])}." if alive else "Look for caches, globals and open tasks."
    text = f"{test_id} left the process {grown_mb:.1f} MB larger, more than {limit_mb:g} MB. {advice}"
    warnings.warn(text, MemoryGrowthWarning, stacklevel=4)


def _watch(obj: object, obj_type: str | None) -> tuple[str, Callable[[], object]]:
    try:
        return obj_type or type(obj).__qualname__, weakref.ref(obj)
    except TypeError:
        return "", lambda: None


def _trim() -> None:
    """Return free memory to the operating system, where the C library can."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no malloc_trim
            ctypes.CDLL(None).malloc_trim(0)
