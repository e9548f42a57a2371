"""Turns the phases and reports of each attempt at a test into one record.

The phase hooks are timed here; what became of them is told by the reports, which may come later
(pytest-rerunfailures) or without a phase that ran here (--forked).
"""

import math
import time
from typing import Any, Callable, Dict, Generator, List, NamedTuple, Optional, Tuple

import pytest

from tdd_monitor.plugin import outcomes
from tdd_monitor.plugin.fixtures import FixtureClock
from tdd_monitor.plugin.guard import Guard, guarded
from tdd_monitor.plugin.memory import Memory
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.sampler import Sampler
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.protocol.events import FinishedTest, Phase, StartedTest, Subtest

ELSEWHERE = "cpu time, memory, fixtures and queries: it ran in a process of its own"


class _Phase:
    """A phase of the running attempt, while it is not yet known whole."""

    __slots__ = (
        "cpu_ns",
        "longrepr",
        "measured",
        "outcome",
        "python_delta_bytes",
        "python_peak_bytes",
        "raised",
        "report",
        "rss_bytes",
        "rss_delta_bytes",
        "sections",
        "wall_ns",
        "when",
    )

    def __init__(self, when: str) -> None:
        self.when = when
        self.outcome = ""
        self.report: Any = None
        self.wall_ns = self.cpu_ns = self.rss_bytes = self.rss_delta_bytes = 0
        self.python_delta_bytes = self.python_peak_bytes = 0
        self.longrepr = ""
        self.sections: Tuple[Any, ...] = ()
        self.measured = self.raised = False

    def record(self) -> Phase:
        return Phase(
            self.when,
            self.outcome,
            self.wall_ns,
            self.cpu_ns,
            self.rss_bytes,
            self.rss_delta_bytes,
            self.longrepr,
            self.sections,
            self.python_delta_bytes,
            self.python_peak_bytes,
        )


class _Attempt:
    """The attempt that is going on."""

    __slots__ = (
        "metrics",
        "nodeid",
        "number",
        "phases",
        "rss_bytes",
        "seen_sections",
        "started_ns",
        "subtests",
    )

    def __init__(self, nodeid: str, number: int, now: Callable[[], int] = time.monotonic_ns):
        self.nodeid = nodeid
        self.number = number
        self.rss_bytes = 0  # where its first phase began
        self.started_ns = now()
        self.phases: List[_Phase] = []
        self.subtests: List[Subtest] = []
        self.metrics: Dict[str, float] = {}
        self.seen_sections = 0

    def phase(self, when: str) -> _Phase:
        """The phase of that name that has no report yet, a new one if there is none."""
        for phase in self.phases:
            if phase.when == when and phase.report is None:
                return phase
        phase = _Phase(when)
        self.phases.append(phase)
        return phase


class Instruments(NamedTuple):
    """What measures, and where to send it."""

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
        self._rename = rename
        self._attempt: Optional[_Attempt] = None
        self._previous: Optional[_Attempt] = None
        self._previous_rss_bytes = 0

    @guarded
    def record_metric(self, name: str, value: float) -> None:
        """Add to the named values of the running attempt; what is no finite number is left out."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            return
        if self._attempt is not None and math.isfinite(number):
            self._attempt.metrics[str(name)] = number

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_finish(self) -> None:
        """What lives now is no test's."""
        if self._memory.python is not None:
            self._memory.python.collection_finished()

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """An attempt begins: say so together with the record of the one before, in one send."""
        self._begin(nodeid)

    def _begin(self, nodeid: str, now: Callable[[], int] = time.perf_counter_ns) -> None:
        nodeid = self._rename(nodeid)
        previous = self._previous
        again = previous is not None and previous.nodeid == nodeid
        number = previous.number + 1 if again and previous is not None else 1
        self._sampler.start()  # unless it runs: a fork has stopped it
        self._registry.begin_attempt()
        attempt = self._attempt = _Attempt(nodeid, number)
        if again and previous is not None:
            attempt.seen_sections = previous.seen_sections
        self._fixtures.begin_attempt(nodeid, now())
        self._stream.emit(StartedTest(nodeid, number), t_ns=attempt.started_ns)
        self._stream.flush()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: Any) -> Generator[None, object, object]:
        """Measure the set-up."""
        if self._attempt is None:
            self.pytest_runtest_logstart(item.nodeid)  # a plugin with a protocol of its own
        return (yield from self._measured("setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Measure the test itself."""
        return (yield from self._measured("call"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: Any) -> Generator[None, object, object]:
        """Measure the teardown."""
        self._before_teardown(item)
        return (yield from self._measured("teardown"))

    @guarded
    def _before_teardown(self, item: Any) -> None:
        if self._attempt is not None:
            self._fixtures.note_cached(item)

    def _measured(
        self,
        when: str,
        wall: Callable[[], int] = time.perf_counter_ns,
        cpu: Callable[[], int] = time.process_time_ns,
    ) -> Generator[None, object, object]:
        attempt, memory, phase = self._attempt, self._memory, _Phase(when)
        python = memory.python
        begun = python.begin() if python is not None else None
        rss_bytes = memory.rss()
        phase.raised = True
        cpu_ns, wall_ns = cpu(), wall()
        try:
            result = yield
            phase.raised = False
            return result
        finally:
            phase.wall_ns, phase.cpu_ns = wall() - wall_ns, cpu() - cpu_ns
            if python is not None:
                phase.python_delta_bytes, phase.python_peak_bytes = python.end(begun)
            phase.rss_bytes = memory.rss()
            if rss_bytes and phase.rss_bytes:
                phase.rss_delta_bytes = phase.rss_bytes - rss_bytes
            phase.measured = True
            if attempt is not None:
                attempt.rss_bytes = attempt.rss_bytes or rss_bytes
                attempt.phases.append(phase)

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_runtest_logreport(self, report: Any) -> None:
        """What became of a phase, or of a subtest."""
        attempt = self._attempt
        if attempt is None:
            return
        if outcomes.is_subtest(report):
            attempt.subtests.append(outcomes.subtest(report))
            return
        # Not yet its outcome: pytest's terminal reporter and other plugins still change that.
        attempt.phase(report.when).report = report

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_runtest_logfinish(self) -> None:
        """The attempt is over: queue its record, which leaves with the next start, or soon."""
        attempt = self._attempt
        if attempt is None:
            return
        self._attempt, self._previous = None, attempt
        for phase in attempt.phases:
            self._settle(attempt, phase)
        self._stream.emit(
            FinishedTest(
                attempt.nodeid,
                outcomes.of_attempt(attempt.phases, attempt.subtests),
                attempt.number,
                attempt.started_ns,
                tuple([phase.record() for phase in attempt.phases]),
                self._fixtures.end_attempt(),
                tuple(attempt.subtests),
                self._registry.take(),
                attempt.metrics,
                self._drift_bytes(attempt),
                self._memory.peak(),
                () if any(phase.measured for phase in attempt.phases) else (ELSEWHERE,),
            )
        )

    @staticmethod
    def _settle(attempt: _Attempt, phase: _Phase) -> None:
        report = phase.report
        if report is None:
            # A plugin that reruns does not publish every report of an attempt that it repeats.
            phase.outcome = "rerun" if phase.raised else "passed"
            return
        phase.report = None
        phase.outcome = outcomes.of_report(report)
        if not phase.measured:
            phase.wall_ns = max(0, int(report.duration * 1e9))
        if phase.outcome != "passed":
            phase.longrepr = outcomes.longrepr(report)
        if report.sections:
            phase.sections = outcomes.sections(report, attempt.seen_sections)
            attempt.seen_sections = len(report.sections)

    def _drift_bytes(self, attempt: _Attempt) -> int:
        """How much the process grew from the end of the last measured attempt to this one."""
        before = self._previous_rss_bytes
        if not attempt.rss_bytes:
            return 0
        self._previous_rss_bytes = attempt.phases[-1].rss_bytes
        return attempt.rss_bytes - before if before else 0

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Around the teardown of shared fixtures that an interrupted test has left."""
        self._abandon()
        try:
            return (yield)
        finally:
            # Within xdist's own wrapper: a worker's lines are on their way before it says that it is done.
            self._stream.drain()

    @guarded
    def _abandon(self) -> None:
        self._attempt = None
        self._fixtures.end_attempt()
