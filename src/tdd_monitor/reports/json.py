"""The final state as JSON, for scripts and CI."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tdd_monitor import figures
from tdd_monitor.protocol.events import Phase
from tdd_monitor.session import completeness, metrics
from tdd_monitor.session.model import Item, Run, SharedFixture
from tdd_monitor.terminal import plain_lines
from tdd_monitor.verdict import Alert, Board

from . import regressions

COUNTED = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


def document(board: Board, exitcode: int) -> dict[str, Any]:
    """The last run of `board`.

    `counts` has pytest's own summary words (others, such as rerun, only if not zero). `tests` has one
    entry per test with its metrics, in milliseconds, megabytes or plain counts as their names say; every
    entry has the same keys, null where a test has no value. `queries` is also null when the test may have
    used a driver that is not instrumented. `incomplete` says which of pytest's events never arrived (null:
    nothing is missing). `regressions` compares the run with earlier ones (null: no history is kept).
    """
    session = board.session
    run = session.run
    counts = dict.fromkeys(COUNTED, 0)
    if run is not None:
        counts |= {word: count for word, count in run.counts.items() if count}
    return {
        "exitcode": exitcode,
        "state": run.state.value if run else "not started",
        "duration_s": _duration_s(run) if run else 0.0,
        "counts": counts,
        "tests": _tests(board),
        "shared_fixtures": [
            _shared_fixture(shared)
            for shared in session.shared_fixtures.values()
            if run is not None and shared.run == run.number
        ],
        "collect_errors": [error._asdict() for error in run.collect_errors] if run else [],
        "alerts": [_alert(alert) for alert in board.alerts()],
        "regressions": regressions.document(board.judgement),
        "memory": _memory(board),
        "pools": [
            {"worker": pool.worker, **pool.latest._asdict(), "peak_in_use": pool.peak_in_use}
            | {"peak_waiting": pool.peak_waiting, "closed": pool.closed}
            for pool in session.pools.values()
        ],
        "more_pools": sum(session.more_pools.values()),
        "servers": [
            {**server.latest._asdict(), "max_connections": server.max_connections}
            | {"peak_connections": server.peak}
            for server in session.servers.values()
        ],
        "lost": list(run.lost_nodeids) if run else [],
        "incomplete": _incomplete(run) if run else None,
        "pytest": _pytest(run) if run else {},
    }


def _pytest(run: Run) -> dict[str, Any]:
    """pytest's own output, without escape sequences."""
    return {
        "header": "\n".join(plain_lines(run.header)),
        "summary": "\n".join(plain_lines(run.summary)),
        "stopped": run.cancel_reason,
        "stopped_because": run.cancel_detail,
        "last_output": run.lost.output if run.lost else "",
    }


def write(report: Mapping[str, Any], path: Path) -> None:
    """Write a `document` to `path`. Raises OSError."""
    text = json.dumps(report, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _in_order(board: Board) -> list[Item]:
    return sorted((i for i in board.session.items.values()), key=lambda item: item.index)


def _incomplete(run: Run) -> dict[str, Any] | None:
    problems = completeness.problems(run)
    if not problems:
        return None
    return {
        "problems": problems,
        "missing_lines": run.missing_lines,
        "malformed_lines": run.malformed_lines,
        "counts": [each._asdict() for each in completeness.differences(run)],
    }


def _duration_s(run: Run) -> float:
    return max(0, run.finished_ns - run.requested_ns) / 1e9


def _tests(board: Board) -> list[dict[str, Any]]:
    entries = [_test(board, item) for item in _in_order(board)]
    keys = dict.fromkeys(key for entry in entries for key in entry)
    return [dict.fromkeys(keys) | entry for entry in entries]


def _test(board: Board, item: Item) -> dict[str, Any]:
    record = item.record
    entry: dict[str, Any] = {
        "nodeid": item.nodeid,
        "outcome": item.outcome or "not run",
        "file": item.file,
        "line": item.line,
        "worker": item.worker,
        "attempts": 1 + len(item.earlier) if item.record else 0,
        "flaky": item.flaky,
        "queries": None,
    }
    if record is not None:
        entry |= metrics.metric_values(record)
    entry["unwatched_drivers"] = list(record.unwatched) if record else []
    entry["phases"] = {phase.when: _phase(phase) for phase in record.phases} if record else {}
    entry["fixtures"] = [_plain(use) for use in record.fixtures] if record else []
    entry["over_threshold"] = sorted({alert.metric for alert in board.of_test.get(item.nodeid, [])})
    return entry


def _phase(phase: Phase) -> dict[str, Any]:
    """The phase's own measurements, and the time of shared fixtures in it."""
    return {
        "outcome": phase.outcome,
        "wall_ms": metrics.phase_ns(phase) / figures.NS_PER_MS,
        "shared_fixtures_ms": phase.shared_ns / figures.NS_PER_MS,
        "cpu_ms": phase.cpu_ns / figures.NS_PER_MS,
        "memory_delta_mb": phase.rss_delta_bytes / figures.MB,
    }


def _shared_fixture(shared: SharedFixture) -> dict[str, Any]:
    use = shared.use
    return {
        "name": use.name,
        "scope": use.scope,
        "defined_in": use.baseid,
        "first_user": use.first_user,
        "tests": shared.tests,
        "setup_ms": use.self_ns / figures.NS_PER_MS,
        "teardown_ms": use.teardown_ns / figures.NS_PER_MS,
        "cpu_ms": use.cpu_ns / figures.NS_PER_MS,
        "memory_delta_mb": use.rss_delta_bytes / figures.MB,
        "db": _plain(use.db),
    }


def _plain(value: Any) -> Any:
    """Convert records to JSON objects, recursively."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "metric": alert.metric,
        "value": alert.value,
        "threshold": alert.threshold,
        "timestamp_ns": alert.timestamp_ns,
        "severity": alert.severity.value,
        "subject": alert.subject,
        "detail": alert.detail,
        "advice": alert.advice,
        "tests": list(alert.tests),
    }


def _memory(board: Board) -> list[dict[str, Any]]:
    return [
        {
            "worker": worker.id,
            "rss_mb": worker.rss_bytes / figures.MB,
            "first_rss_mb": worker.first_rss_bytes / figures.MB,
            "peak_rss_mb": worker.peak_rss_bytes / figures.MB,
            "warm_up_mb": worker.warm_up_bytes / figures.MB,
            "growth_mb": worker.growth_bytes / figures.MB,
        }
        for worker in board.session.workers.values()
        if worker.rss_bytes
    ]
