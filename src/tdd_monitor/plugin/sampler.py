"""A thread that flushes the stream and samples the process when something changes.

It is started with `_thread`, so that suites that check for stray threads (threading.enumerate) do not see
it. It stops before a fork, because Python 3.12 and later warn when a process with threads forks, and many
suites turn warnings into errors; it restarts afterwards, at the latest with the next test.
"""

import _thread
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Callable

from tdd_monitor.plugin.guard import describe
from tdd_monitor.plugin.memory import Memory
from tdd_monitor.plugin.reporter import warn
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.protocol.events import Sample

if TYPE_CHECKING:
    from tdd_monitor.plugin.observe.registry import Registry

# The time between samples, and the longest that a record waits for the start of the next test. Not shorter:
# each wake-up costs the tests up to 1 ms, because it takes the core of the main thread, which continues on
# another core with cold caches.
TICK_S = 0.1
_RSS_STEP_BYTES = 256 << 10
_CPU_STEP_NS = 5_000_000
_EXIT_TIMEOUT_S = 0.05
_POOLS = Sample._fields.index("pools")  # any change in this or a later field is reported


class Sampler:
    """Samples and flushes the stream every tick."""

    def __init__(self, stream: Stream, memory: Memory, registry: "Registry") -> None:
        self._stream = stream
        self._memory = memory
        self._registry = registry
        self._stop: Any = None
        self._stopped: Any = None
        self._last = Sample()
        self._warned = False
        self.paused = False  # by a fork

    def start(self) -> None:
        """Start the thread; if that fails (resource limits), records may wait for the next test."""
        self.paused = False
        if self._stop is not None or not self._stream.open:
            return
        stop, stopped = _thread.allocate_lock(), _thread.allocate_lock()
        stop.acquire()
        stopped.acquire()
        try:
            _thread.start_new_thread(self._run, (stop, stopped))
        except RuntimeError as error:
            self._warn_once("Memory and pools are not sampled: cannot start a thread (%s)." % error)
            return
        self._stop, self._stopped = stop, stopped

    def stop(self) -> None:
        """Stop the thread and wait for it."""
        if self._stop is None:
            return
        threads = _count_threads()
        self._stop.release()
        self._stop = None
        self.paused = True
        self._stopped.acquire(True, 1.0)
        _wait_for_exit(threads)

    def forget(self) -> None:
        """Called in a forked child, which does not have the thread."""
        self._stop = None

    def _run(self, stop: Any, stopped: Any) -> None:
        name = getattr(_thread, "set_name", None)  # Python 3.14
        try:
            if name is not None:
                name("tdd-monitor")
            while not stop.acquire(True, TICK_S):
                self._tick()
        except BaseException:  # noqa: BLE001 - there is no caller to report it to
            pass
        finally:
            stopped.release()

    def _tick(self, last: bool = False) -> None:
        """Sample; on an error, go on: records need the flush, and the next sample may succeed."""
        try:
            self._sample(last)
        except Exception as error:  # noqa: BLE001 - reported and retried
            self._warn_once("Some samples of memory and pools are missing: " + describe(error))
        self._stream.flush()

    def _warn_once(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warn(self._stream, message)

    def finish(self) -> None:
        """Stop, after a last sample that reports the pools closed since the previous one."""
        started = self._stop is not None or self.paused
        self.stop()
        if started:
            self._tick(last=True)

    def _sample(self, last: bool, cpu: Callable[[], int] = time.process_time_ns) -> None:
        registry, before, dropped = self._registry, self._last, self._stream.dropped
        pools, more_pools = registry.sample_pools(last)
        sample = Sample(self._memory.rss(), cpu(), pools, more_pools, registry.servers.held())
        if (
            sample[_POOLS:] != before[_POOLS:]
            or abs(sample.rss_bytes - before.rss_bytes) >= _RSS_STEP_BYTES
            or sample.cpu_ns - before.cpu_ns >= _CPU_STEP_NS
        ):
            self._last = sample
            self._stream.emit_sample(sample)
        if self._stream.dropped == dropped:
            registry.mark_reported()


def _count_threads() -> int:
    """The number of threads as the fork warning counts them; 0 where there is no such warning."""
    if sys.platform != "linux" or sys.version_info < (3, 12):
        return 0
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 0


def _wait_for_exit(threads: int, clock: Callable[[], float] = time.monotonic) -> None:
    """Wait until the finished thread is no longer counted, which takes some microseconds."""
    if threads:
        deadline = clock() + _EXIT_TIMEOUT_S
        while _count_threads() >= threads and clock() < deadline:
            pass
