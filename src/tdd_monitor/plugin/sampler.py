"""A thread that sends what is queued, and samples the process while something changes.

It is started below `threading`: suites that look for stray threads (threading.enumerate) do not see
it. It ends before a fork, because from Python 3.12 on a fork of a process with threads warns, and
warnings are errors in many suites; it starts again afterwards, at the latest with the next test.
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

# Between samples, and how long at most a record waits for the start of the next test. Not more often: a
# thread that wakes up costs the tests up to 1 ms, because it takes the core of the main thread, which
# continues on another with cold caches.
TICK_S = 0.1
_RSS_STEP_BYTES = 256 << 10
_CPU_STEP_NS = 5_000_000
_GONE_S = 0.05
_POOLS = Sample._fields.index("pools")  # from here on a change is always reported


class Sampler:
    """Samples and flushes the stream every tick."""

    def __init__(self, stream: Stream, memory: Memory, registry: "Registry") -> None:
        self._stream = stream
        self._memory = memory
        self._registry = registry
        self._stop: Any = None
        self._stopped: Any = None
        self._last = Sample()
        self._told = False  # what went wrong: once is enough
        self.paused = False  # by a fork

    def start(self) -> None:
        """Start the thread; without one (resource limits) records may wait for the next start."""
        self.paused = False
        if self._stop is not None or not self._stream.open:
            return
        stop, stopped = _thread.allocate_lock(), _thread.allocate_lock()
        stop.acquire()
        stopped.acquire()
        try:
            _thread.start_new_thread(self._run, (stop, stopped))
        except RuntimeError as error:
            self._tell("Memory and pools are not sampled, no thread can be started: %s." % error)
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
        """In a forked child, to which the thread was not copied."""
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
        """Sample; continue after an error: records await the flush, and pools may be readable next time."""
        try:
            self._sample(last)
        except Exception as error:  # noqa: BLE001 - reported, and retried
            self._tell("Memory and pools were not sampled at times: " + describe(error))
        self._stream.flush()

    def _tell(self, message: str) -> None:
        if not self._told:
            self._told = True
            warn(self._stream, message)

    def finish(self) -> None:
        """Stop after a last sample, which reports the pools closed since the previous one."""
        started = self._stop is not None or self.paused
        self.stop()
        if started:
            self._tick(last=True)

    def _sample(self, last: bool, cpu: Callable[[], int] = time.process_time_ns) -> None:
        registry, before, dropped = self._registry, self._last, self._stream.dropped
        pools, more_pools = registry.look(last)
        sample = Sample(self._memory.rss(), cpu(), pools, more_pools, registry.servers.held())
        if (
            sample[_POOLS:] != before[_POOLS:]
            or abs(sample.rss_bytes - before.rss_bytes) >= _RSS_STEP_BYTES
            or sample.cpu_ns - before.cpu_ns >= _CPU_STEP_NS
        ):
            self._last = sample
            self._stream.emit_sample(sample)
        if self._stream.dropped == dropped:
            registry.told()


def _count_threads() -> int:
    """As the fork warning counts them; 0 where it does not."""
    if sys.platform != "linux" or sys.version_info < (3, 12):
        return 0
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 0


def _wait_for_exit(threads: int, clock: Callable[[], float] = time.monotonic) -> None:
    """A thread that has returned is still counted for some microseconds."""
    if threads:
        deadline = clock() + _GONE_S
        while _count_threads() >= threads and clock() < deadline:
            pass
