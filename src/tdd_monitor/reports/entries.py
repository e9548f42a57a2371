"""Tests and collection errors in the JSON report: plain dicts made from the session."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tdd_monitor import figures
from tdd_monitor.protocol.events import CollectSkip, FinishedTest, Phase
from tdd_monitor.session import metrics, queries, tracebacks
from tdd_monitor.session.model import Item, Run, Session
from tdd_monitor.terminal import plain_lines
from tdd_monitor.verdict import Board

_FAILED = ("failed", "rerun")
_NOT_RUN = ("skipped", "xfailed")


@dataclass(frozen=True, slots=True)
class _Context:
    """The run that is reported, and where the names of files start."""

    run: Run | None
    rootdir: str
    directory: str

    def since_start_ms(self, started_ns: int) -> float | None:
        """Time since the run was requested; None for another run, or another machine's clock."""
        run = self.run
        if run is None or not run.requested_ns <= started_ns <= (run.finished_ns or started_ns):
            return None
        return (started_ns - run.requested_ns) / figures.NS_PER_MS

    def place(self, text: str, file: str, line: int) -> dict[str, Any]:
        """Where the failure with this text happened, else the given place."""
        found = tracebacks.place(text, self.rootdir, self.directory) or tracebacks.Place(file, line)
        return found._asdict()


def of_tests(board: Board, directory: str) -> list[dict[str, Any]]:
    """All tests in collection order; every entry has the same keys."""
    session = board.session
    context = _context(session, directory)
    items = sorted(session.items.values(), key=lambda item: item.index)
    entries = [_test(board, item, context) for item in items]
    keys = dict.fromkeys(key for entry in entries for key in entry)
    return [dict.fromkeys(keys) | entry for entry in entries]


def of_collect_errors(session: Session, directory: str) -> list[dict[str, Any]]:
    """Files that could not be collected, with message and place."""
    if session.run is None:
        return []
    context = _context(session, directory)
    return [
        {
            "nodeid": error.nodeid,
            "message": _clean(tracebacks.message(error.longrepr)),
            **context.place(error.longrepr, error.nodeid.partition("::")[0], 0),
            "longrepr": error.longrepr,
        }
        for error in session.run.collect_errors
    ]


def of_collect_skip(skip: CollectSkip) -> dict[str, Any]:
    """A file that skipped itself."""
    return {"nodeid": skip.nodeid, "reason": _reason(skip.longrepr)}


def plain(value: Any) -> Any:
    """Convert records to JSON objects, recursively."""
    if hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    return [plain(part) for part in value] if isinstance(value, tuple) else value


def _context(session: Session, directory: str) -> _Context:
    return _Context(session.run, queries.rootdir(session), directory)


def _test(board: Board, item: Item, context: _Context) -> dict[str, Any]:
    record = item.record
    entry: dict[str, Any] = {"nodeid": item.nodeid, "queries": None}
    if record is not None:
        entry |= {name: _finite(value) for name, value in metrics.metric_values(record).items()}
    # After the metrics: a metric of the user may have any name.
    entry |= {
        "nodeid": item.nodeid,
        "outcome": item.outcome or "not run",
        "earlier_run": _is_of_earlier_run(item, context),
        "file": item.file,
        "line": item.line,
        "worker": item.worker,
        "attempts": 1 + len(item.earlier) if item.record else 0,
        "flaky": item.flaky,
    }
    entry["unwatched_drivers"] = list(record.unwatched) if record else []
    entry |= _attempt(record, item, context)
    if item.outcome == "lost":
        place = {"file": item.file, "line": item.line}
        entry["failures"] = [_failure("", "pytest died while running this test", place)]
    entry["reason"] = _skip_reason(record) if record else ""
    entry["subtests"] = plain(record.subtests) if record else []
    entry["db"] = plain(record.db) if record else []
    entry["earlier_attempts"] = [
        {
            "attempt": each.attempt,
            "outcome": each.outcome,
            "duration_ms": metrics.own_ns(each) / figures.NS_PER_MS,
        }
        | _attempt(each, item, context)
        for each in item.earlier
    ]
    entry["over_threshold"] = sorted({alert.metric for alert in board.of_test.get(item.nodeid, [])})
    return entry


def _is_of_earlier_run(item: Item, context: _Context) -> bool:
    return bool(item.outcome) and context.run is not None and item.record_run != context.run.number


def _finite(value: float) -> float | None:
    """The value; JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None


def _attempt(record: FinishedTest | None, item: Item, context: _Context) -> dict[str, Any]:
    if record is None:
        return {"start_ms": None, "phases": {}, "fixtures": [], "failures": []}
    return {
        "start_ms": context.since_start_ms(record.started_ns),
        "phases": dict(_phases(record)),
        "fixtures": plain(record.fixtures),
        "failures": list(_failures(record, item, context)),
    }


def _phases(record: FinishedTest) -> Iterator[tuple[str, dict[str, Any]]]:
    """The phases with their own measurements, the time of shared fixtures in them, and their offsets.

    Between call and teardown pytest does work of its own, which belongs to no phase.
    """
    offset_ns = 0
    first_teardown_ns = min((use.teardown_start_ns for use in record.fixtures if use.teardown_ns), default=0)
    for phase in record.phases:
        if phase.when == "teardown":
            offset_ns = max(offset_ns, first_teardown_ns)
        yield phase.when, _phase(phase, offset_ns)
        offset_ns += phase.wall_ns


def _phase(phase: Phase, offset_ns: int) -> dict[str, Any]:
    return {
        "outcome": phase.outcome,
        "offset_ms": offset_ns / figures.NS_PER_MS,
        "wall_ms": metrics.phase_ns(phase) / figures.NS_PER_MS,
        "shared_fixtures_ms": phase.shared_ns / figures.NS_PER_MS,
        "cpu_ms": phase.cpu_ns / figures.NS_PER_MS,
        "memory_delta_mb": phase.rss_delta_bytes / figures.MB,
        "rss_mb": phase.rss_bytes / figures.MB,
    }


def _failures(record: FinishedTest, item: Item, context: _Context) -> Iterator[dict[str, Any]]:
    """The failed phases and subtests; the captured output of an attempt comes with its first failure."""
    output = [
        {"title": section.title, "text": "\n".join(plain_lines(section.text))}
        for phase in record.phases
        for section in phase.sections
    ]
    for subtest in record.subtests:
        if subtest.outcome == "failed":
            place = context.place(subtest.longrepr, item.file, item.line)
            when = f"subtest {subtest.description}".strip()
            yield _failure(
                when, _clean(tracebacks.message(subtest.longrepr)), place, subtest.longrepr, output
            )
            output = []
    for phase in record.phases:
        if phase.outcome in _FAILED:
            place = context.place(phase.longrepr, item.file, item.line)
            message = _clean(tracebacks.message(phase.longrepr))
            yield _failure(phase.when, message, place, phase.longrepr, output)
            output = []


def _failure(
    when: str,
    message: str,
    place: dict[str, Any],
    longrepr: str = "",
    output: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    return {"when": when, "message": message, **place, "longrepr": _clean(longrepr), "output": output or []}


def _skip_reason(record: FinishedTest) -> str:
    texts = (phase.longrepr for phase in record.phases if phase.outcome in _NOT_RUN and phase.longrepr)
    return _reason(next(texts, ""))


def _reason(longrepr: str) -> str:
    """The reason given for a skip or an xfail: the first line, without the place in front of it."""
    first = _clean(longrepr.strip().partition("\n")[0])
    return first.rpartition(": Skipped: ")[2] if ": Skipped: " in first else first.removeprefix("Skipped: ")


def _clean(text: str) -> str:
    return "\n".join(plain_lines(text))
