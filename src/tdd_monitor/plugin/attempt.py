"""One attempt at a test in progress, and the record built from it."""

import time
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

from tdd_monitor.plugin import outcomes
from tdd_monitor.protocol.events import Phase, Subtest

MEASURED_ELSEWHERE = "cpu time, memory, fixtures and queries: the test ran in a separate process"


class Reading(NamedTuple):
    """Measurements of one phase."""

    when: str
    raised: bool
    wall_ns: int
    cpu_ns: int
    rss_bytes: int
    rss_delta_bytes: int
    python_delta_bytes: int = 0
    python_peak_bytes: int = 0
    shared_ns: int = 0


class Attempt:
    """Collects readings as phases end, and reports as pytest publishes them."""

    __slots__ = ("metrics", "nodeid", "number", "readings", "reports", "seen_sections", "started_ns")

    def __init__(
        self, nodeid: str, number: int, seen_sections: int, now: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.nodeid = nodeid
        self.number = number
        self.seen_sections = seen_sections
        self.started_ns = now()
        self.readings: List[Reading] = []
        self.reports: List[Any] = []
        self.metrics: Dict[str, float] = {}

    @property
    def unmeasured(self) -> Tuple[str, ...]:
        """What was not measured, as text for the user."""
        return () if self.readings else (MEASURED_ELSEWHERE,)

    def cut_short(self) -> bool:
        """Drop the phases that pytest has not reported; True if the others count in its summary."""
        reported = {report.when for report in self.reports}
        self.readings = [reading for reading in self.readings if reading.when in reported]
        return any(report.when == "call" or report.outcome != "passed" for report in self.reports)

    def subtests(self) -> Tuple[Subtest, ...]:
        """The subtests that pytest reported, in order."""
        return tuple([outcomes.subtest(report) for report in self.reports if outcomes.is_subtest(report)])

    def phases(self) -> Tuple[Phase, ...]:
        """Readings and reports, matched by phase name."""
        reports = [report for report in self.reports if not outcomes.is_subtest(report)]
        phases = []
        for reading in self.readings:
            report = next((report for report in reports if report.when == reading.when), None)
            if report is not None:
                reports.remove(report)
            phases.append(self._phase(reading, report))
        # Reports of a child process, or of plugins that report tests they did not run.
        phases += [self._phase(_from_report(report), report) for report in reports]
        return tuple(phases)

    def _phase(self, reading: Reading, report: Any) -> Phase:
        phase = Phase(
            reading.when,
            # A rerun plugin does not publish every report of an attempt that it repeats.
            "rerun" if reading.raised else "passed",
            reading.wall_ns,
            reading.cpu_ns,
            reading.rss_bytes,
            reading.rss_delta_bytes,
            python_delta_bytes=reading.python_delta_bytes,
            python_peak_bytes=reading.python_peak_bytes,
            shared_ns=reading.shared_ns,
        )
        if report is None:
            return phase
        outcome = outcomes.of_report(report)
        longrepr = "" if outcome == "passed" else outcomes.longrepr(report)
        sections = outcomes.sections(report, self.seen_sections)
        self.seen_sections = len(report.sections)
        return phase._replace(outcome=outcome, longrepr=longrepr, sections=sections)


def _from_report(report: Any) -> Reading:
    return Reading(report.when, report.failed, max(0, int(report.duration * 1e9)), 0, 0, 0)


def of_attempt(phases: Sequence[Phase], subtests: Sequence[Subtest]) -> str:
    """Outcome of the attempt, by precedence: rerun, failed, error, then the test's own outcome."""
    words = {(phase.when in ("setup", "teardown"), phase.outcome) for phase in phases}
    found = {outcome for _, outcome in words}
    if "rerun" in found:
        return "rerun"
    if (False, "failed") in words or any(subtest.outcome == "failed" for subtest in subtests):
        return "failed"
    if (True, "failed") in words:
        return "error"
    for outcome in ("xfailed", "xpassed", "skipped"):
        if outcome in found:
            return outcome
    return "passed"
