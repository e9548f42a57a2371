"""One run, and one test in one run, as the history keeps them."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from tdd_monitor.protocol.events import FinishedTest
from tdd_monitor.session import metrics
from tdd_monitor.session.model import FAILURES, Run, Session

from .commit import Commit
from .environment import Environment


class Figures(NamedTuple):
    """The measured costs of a test. None is unknown, not zero. Times in ns, sizes in bytes."""

    wall_ns: int
    cpu_ns: int
    memory_bytes: int
    queries: int | None = None
    ddl: int | None = None
    pool_peak: int | None = None
    leaked: int | None = None
    calls: int | None = None  # Python calls and jumps
    project_calls: int | None = None


class Result(NamedTuple):
    """One test in one run. `attempts` above 1 means that it was rerun."""

    nodeid: str
    outcome: str
    attempts: int
    figures: Figures

    @property
    def comparable(self) -> bool:
        """Passed at the first attempt: only these figures are compared with those of other runs."""
        return self.outcome == "passed" and self.attempts == 1


class RunRow(NamedTuple):
    """One run. `started_s` is Unix time, `duration_ns` lasts from the request to the end."""

    uuid: str
    started_s: float
    duration_ns: int
    scope: str  # all or some
    exitstatus: int | None  # None when pytest never reported an end
    environment: Environment
    commit: Commit = Commit()
    tests: int = 0
    failed: int = 0


class Finished(NamedTuple):
    """A test of the current run whose figures have not been computed yet."""

    nodeid: str
    outcome: str
    attempts: int
    record: FinishedTest

    def result(self) -> Result:
        """Compute the figures."""
        return Result(self.nodeid, self.outcome, self.attempts, figures(self.record))


def finished(session: Session) -> list[Finished]:
    """The tests of the current run, quickly: the figures of many tests take longer than a frame."""
    number = session.runs[-1].number
    return [
        Finished(item.nodeid, item.outcome, len(item.earlier) + 1, item.record)
        for item in session.items.values()
        if item.record is not None and item.record_run == number
    ]


def of_run(run: Run, environment: Environment, tests: Sequence[Finished]) -> RunRow:
    """A run that has just ended. Its commit is still unknown."""
    duration_ns = max(0, run.finished_ns - run.requested_ns)
    return RunRow(
        uuid=run.id,
        started_s=time.time() - duration_ns / 1e9,
        duration_ns=duration_ns,
        scope=run.scope,
        exitstatus=run.exitstatus,
        environment=environment,
        tests=len(tests),
        failed=sum(test.outcome in FAILURES for test in tests),
    )


def figures(record: FinishedTest) -> Figures:
    """The figures of one attempt."""
    counted = metrics.has_queries(record)
    db = record.db if counted else ()
    return Figures(
        wall_ns=metrics.own_ns(record),
        cpu_ns=metrics.cpu_ns(record),
        memory_bytes=metrics.memory_delta_bytes(record),
        queries=metrics.queries(record) if counted else None,
        ddl=sum(use.ddl for use in db) if counted else None,
        pool_peak=max((use.peak for use in db), default=0) if counted else None,
        leaked=sum(use.leaked for use in db) if counted else None,
    )
