"""Measures the phases of every attempt at a test and sends its record when it finishes.

The phase hooks are timed here. Outcomes come from the reports, which may arrive later
(pytest-rerunfailures) or without a phase in this process (--forked). Code that runs for every test is
written for speed: guarded by hand, with as few objects as possible.
"""

import math
import time
from typing import Any, Callable, Generator, NamedTuple, Optional

import pytest

from tdd_monitor.plugin import wire
from tdd_monitor.plugin.attempt import Attempt, Reading, of_attempt
from tdd_monitor.plugin.fixtures import FixtureClock
from tdd_monitor.plugin.guard import Guard, guarded
from tdd_monitor.plugin.memory import Memory
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.sampler import Sampler
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.protocol.events import FinishedTest

# A shorter setup or teardown without fixtures is only pytest's overhead: its CPU time is its wall time,
# and its memory is not worth a reading (3 us).
_PYTEST_OVERHEAD_NS = 1_000_000


def _phase_hook(when: str) -> Any:
    """The hook around one phase."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def hook(
        self: "Recorder",
        item: Any,
        wall: Callable[[], int] = time.perf_counter_ns,
        cpu: Callable[[], int] = time.process_time_ns,
    ) -> Generator[None, object, object]:
        begun = self._before_phase(when, item)
        raised = True
        cpu_ns, wall_ns = cpu(), wall()
        try:
            result = yield
            raised = False
            return result
        finally:
            wall_ns = wall() - wall_ns
            measured = self._fixtures.worked or raised or wall_ns > _PYTEST_OVERHEAD_NS
            cpu_ns = cpu() - cpu_ns if measured else wall_ns
            self._after_phase(when, raised, wall_ns, cpu_ns, measured, begun)

    return hook


class Instruments(NamedTuple):
    """The measuring instruments and the stream to send to."""

    guard: Guard
    stream: Stream
    memory: Memory
    registry: Registry
    sampler: Sampler


class Recorder:
    """Pytest plugin in every process that runs tests."""

    def __init__(
        self, instruments: Instruments, fixtures: FixtureClock, rename: Callable[[str], str]
    ) -> None:
        self.guard, self._stream, self._memory, self._registry, self._sampler = instruments
        self._fixtures = fixtures
        self._work = fixtures.work
        self._rename = rename
        self._attempt: Optional[Attempt] = None
        self._previous: Optional[Attempt] = None
        self._raised = False  # in the last phase
        self._rss_bytes = 0  # at the start of the running phase
        self._last_rss_bytes = 0  # at the end of the last phase, of any test
        self._drift_bytes = 0

    @property
    def running(self) -> str:
        """Node id of the attempt in progress, "" between attempts."""
        return "" if self._attempt is None else self._attempt.nodeid

    @guarded
    def record_metric(self, name: str, value: float) -> None:
        """Add to the named values of the running attempt; ignores anything but finite numbers."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            return
        if self._attempt is not None and math.isfinite(number):
            self._attempt.metrics[str(name)] = number

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_finish(self) -> None:
        """Existing objects belong to no test."""
        if self._memory.python is not None:
            self._memory.python.collection_finished()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Report the start of an attempt, with the previous record in the same send."""
        try:
            self._begin(nodeid)
        except Exception as error:  # noqa: BLE001 - @guarded by hand
            self.guard.fault(error)

    def _begin(self, nodeid: str, now: Callable[[], int] = time.perf_counter_ns) -> None:
        if self.guard.off:
            return
        nodeid = self._rename(nodeid)
        number, seen_sections, previous = 1, 0, self._previous
        if previous is not None and previous.nodeid == nodeid:
            number, seen_sections = previous.number + 1, previous.seen_sections
        if self._sampler.paused:
            self._sampler.start()
        self._registry.begin_attempt()
        attempt = self._attempt = Attempt(nodeid, number, seen_sections)
        self._fixtures.begin_attempt(nodeid, now())
        self._stream.emit_body("test_start", wire.started(attempt), attempt.started_ns)
        self._stream.flush()

    pytest_runtest_setup = _phase_hook("setup")
    pytest_runtest_call = _phase_hook("call")
    pytest_runtest_teardown = _phase_hook("teardown")

    def _before_phase(self, when: str, item: Any) -> Any:
        """Take the readings at the start of a phase; returns what `_after_phase` needs."""
        try:
            if self._attempt is None:
                self._begin(item.nodeid)  # a plugin with its own runtest protocol
            elif when == "teardown":
                self._fixtures.record_cached(item)
            self._fixtures.worked = when == "call"
            memory = self._memory
            if when == "setup" or self._raised:
                # Other phases start where the previous one ended, unless pytest had an error to format.
                self._rss_bytes = memory.rss()
                if when == "setup" and self._last_rss_bytes:
                    self._drift_bytes = self._rss_bytes - self._last_rss_bytes
            return None if memory.python is None else memory.python.begin()
        except Exception as error:  # noqa: BLE001 - @guarded by hand
            return self.guard.fault(error)

    def _after_phase(
        self, when: str, raised: bool, wall_ns: int, cpu_ns: int, measured: bool, begun: Any
    ) -> None:
        try:
            attempt, memory, before = self._attempt, self._memory, self._rss_bytes
            if attempt is None:
                return
            self._raised = raised
            held = memory.python.end(begun) if memory.python is not None and begun is not None else ()
            rss_bytes, delta_bytes = before, 0
            if measured:
                self._rss_bytes = self._last_rss_bytes = rss_bytes = memory.rss()
                delta_bytes = rss_bytes - before if rss_bytes and before else 0
            reading = Reading(when, raised, wall_ns, cpu_ns, rss_bytes, delta_bytes, *held)
            if self._work.ns:
                reading = self._without_shared(reading)
            attempt.readings.append(reading)
        except Exception as error:  # noqa: BLE001 - @guarded by hand
            self.guard.fault(error)

    def _without_shared(self, reading: Reading) -> Reading:
        """The phase without shared fixtures, which report their own share."""
        work = self._work
        own = reading._replace(
            cpu_ns=max(0, reading.cpu_ns - work.cpu_ns),
            rss_delta_bytes=reading.rss_delta_bytes - work.rss_delta_bytes,
            shared_ns=min(work.ns, reading.wall_ns),
        )
        work.clear()
        return own

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep the report. Its outcome is read later: other plugins (subtests) may still change it."""
        if self._attempt is not None:
            self._attempt.reports.append(report)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        """Queue the record of a finished attempt; it is sent with the next start, or soon after."""
        try:
            attempt = self._attempt
            if attempt is not None and not self.guard.off:
                self._finish(attempt)
                # Only now: on Ctrl+C before this, `_abandon` reports the attempt.
                self._attempt, self._previous = None, attempt
                attempt.reports.clear()
        except Exception as error:  # noqa: BLE001 - @guarded by hand
            self.guard.fault(error)

    def _finish(self, attempt: Attempt) -> None:
        fixtures = self._fixtures.end_attempt()
        db, unwatched = self._registry.collect(), self._registry.unwatched
        drift_bytes, self._drift_bytes = self._drift_bytes, 0
        peak_bytes = self._memory.peak()
        if not db and not self._work.done and self._memory.python is None and wire.is_plain(attempt):
            body = wire.passed(attempt, fixtures, drift_bytes, peak_bytes, unwatched)
            self._stream.emit_body("test", body)
            return
        subtests, phases = attempt.subtests(), attempt.phases()
        self._stream.emit(
            FinishedTest(
                attempt.nodeid,
                of_attempt(phases, subtests),
                attempt.number,
                attempt.started_ns,
                phases,
                tuple([use.record() for use in fixtures]),
                subtests,
                db,
                attempt.metrics,
                drift_bytes,
                peak_bytes,
                attempt.unmeasured,
                unwatched,
            )
        )

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Finish an interrupted attempt, then wrap the teardown of the shared fixtures it left."""
        self._abandon()
        try:
            return (yield)
        finally:
            # Inside xdist's wrapper, so that a worker's lines are sent before it reports that it is done.
            self._stream.drain()

    @guarded
    def _abandon(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None and attempt.cut_short():
            self._finish(attempt)  # interrupted in teardown: pytest counts it
        else:
            self._fixtures.end_attempt()
