"""Memory of the process, read cheaply enough for six readings per test.

`rss` reads resident memory only; `tracemalloc` and `gc` measure what Python objects hold, at a cost
(see `PythonMemory`).
"""

import gc
import importlib
import os
import sys
from typing import Any, Callable, List, Optional, Tuple

from tdd_monitor.plugin.descriptors import move_up

MODES = ("rss", "tracemalloc", "gc")


class Memory:
    """Reads the memory of this process; `unmeasured` lists what cannot be read, as text for the user."""

    def __init__(self, mode: str = "rss") -> None:
        self.mode = mode if mode in MODES else "rss"
        self.unmeasured: List[str] = []
        self.rss: Callable[[], int] = _rss_reader() or self._no_rss
        self.peak: Callable[[], int] = _peak_reader() or _zero
        if self.rss == self._no_rss:
            self.unmeasured.append("memory: install psutil in pytest's environment")
        self.python: Optional[PythonMemory] = None
        if self.mode != "rss":
            self.python = Tracemalloc() if self.mode == "tracemalloc" else Collected()

    @staticmethod
    def _no_rss() -> int:
        return 0


def _zero() -> int:
    return 0


def _rss_reader() -> Optional[Callable[[], int]]:
    if sys.platform == "linux":
        try:
            return _Statm().read
        except (OSError, ValueError, IndexError):
            pass
    try:
        psutil = importlib.import_module("psutil")

        process = psutil.Process()
    except Exception:  # noqa: BLE001 - absent or broken: memory is unmeasured
        return None

    def read() -> int:
        return int(process.memory_info().rss)

    return read


class _Statm:
    """Reads /proc/self/statm through an open descriptor: 1.6 us, where psutil takes 11."""

    def __init__(self) -> None:
        self._page = os.sysconf("SC_PAGESIZE")
        self._pread = os.pread
        self._fd = -1
        self._open()
        self._read()

    def _open(self) -> None:
        self._fd = move_up(os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC))

    def _read(self) -> int:
        return int(self._pread(self._fd, 64, 0).split(b" ", 2)[1]) * self._page

    def read(self) -> int:
        """Resident bytes; 0 if they can no longer be read."""
        try:
            return self._read()
        except (OSError, ValueError, IndexError):
            # A test closed our descriptor, and may have opened another file under its number.
            try:
                self._open()
                return self._read()
            except (OSError, ValueError, IndexError):
                return 0


def _peak_reader() -> Optional[Callable[[], int]]:
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    getrusage, who = resource.getrusage, resource.RUSAGE_SELF

    def read() -> int:
        return int(getrusage(who).ru_maxrss) * unit

    return read


class PythonMemory:
    """Memory held by Python objects. `begin` and `end` bracket a phase.

    What happens between `pause` and `resume` does not count towards the phase.
    """

    def collection_finished(self) -> None:
        """Called after collection: existing objects belong to no test."""

    def begin(self) -> Any:
        """Begin a phase; returns what `end` needs."""
        raise NotImplementedError

    def pause(self) -> None:
        """Begin to exclude shared work."""
        raise NotImplementedError

    def resume(self) -> None:
        """End the exclusion of shared work."""
        raise NotImplementedError

    def end(self, begun: Any) -> Tuple[int, int]:
        """End a phase; returns its growth and its peak in bytes."""
        raise NotImplementedError


class Tracemalloc(PythonMemory):
    """Traces every allocation: exact, peak included; tests take about 2.9 times as long."""

    def __init__(self) -> None:
        self._tracemalloc = tracemalloc = importlib.import_module("tracemalloc")
        if not tracemalloc.is_tracing():
            tracemalloc.start(1)
        self._base = self._paused = self._peak = 0

    def begin(self) -> int:
        """Bytes in use; the peak counts from here."""
        self._peak = 0
        self._reset_peak()
        self._base = int(self._tracemalloc.get_traced_memory()[0])
        return self._base

    def pause(self) -> None:
        """Record the peak so far."""
        self._paused, peak = self._tracemalloc.get_traced_memory()
        self._peak = max(self._peak, peak - self._base)

    def resume(self) -> None:
        """Raise the base by what was added since `pause`."""
        self._base += self._tracemalloc.get_traced_memory()[0] - self._paused
        self._reset_peak()

    def end(self, begun: Any) -> Tuple[int, int]:
        """Growth since `begin`, and the peak relative to it."""
        current, peak = self._tracemalloc.get_traced_memory()
        return current - self._base, max(0, self._peak, peak - self._base)

    def _reset_peak(self) -> None:
        if self._tracemalloc.is_tracing():
            self._tracemalloc.reset_peak()


class Collected(PythonMemory):
    """Collects garbage around every phase, so that only live objects count.

    About 0.9 ms per collection, because everything older than the tests is frozen (16 ms otherwise).
    """

    def __init__(self) -> None:
        self._base = self._paused = 0

    def collection_finished(self) -> None:
        """Freeze existing objects, so that they are not scanned again."""
        gc.collect()
        gc.freeze()

    def begin(self) -> int:
        """Bytes of tracked objects created since the tests began."""
        self._base = self._held()
        return self._base

    def pause(self) -> None:
        """Begin to exclude objects created by shared work."""
        self._paused = self._held()

    def resume(self) -> None:
        """Raise the base by what was added since `pause`."""
        self._base += self._held() - self._paused

    def end(self, begun: Any) -> Tuple[int, int]:
        """Growth in bytes; the peak is unknown."""
        return self._held() - self._base, 0

    @staticmethod
    def _held() -> int:
        gc.collect()
        return sum(map(_size, gc.get_objects()))


def _size(thing: Any) -> int:
    try:
        return sys.getsizeof(thing)
    except Exception:  # noqa: BLE001 - a user-defined __sizeof__
        return 0
