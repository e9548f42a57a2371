"""The final state as JSON, for scripts and CI, and the source of every other format.

docs/report.schema.json describes it. `VERSION` changes when a key is removed or changes its meaning;
readers ignore unknown keys.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tdd_monitor import __version__, figures
from tdd_monitor.session import completeness
from tdd_monitor.session.model import Run, SharedFixture, Worker
from tdd_monitor.terminal import plain_lines
from tdd_monitor.verdict import Alert, Board

from . import entries, pytest_messages, regressions

VERSION = 1
COUNTED = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the monitor knows beside the board: its notices, pytest's output, where pytest was started."""

    notices: Sequence[str] = ()
    output: Sequence[str] = ()
    directory: str = ""


def document(board: Board, exitcode: int, around: Surroundings | None = None) -> dict[str, Any]:
    """The last run of `board`.

    `counts` has pytest's own summary words (others, such as rerun, only if not zero). `tests` has one
    entry per test with its metrics, in milliseconds, megabytes or plain counts as their names say; every
    entry has the same keys, null where a test has no value. `queries` is also null when the test may have
    used a driver that is not instrumented. `incomplete` says which of pytest's events never arrived (null:
    nothing is missing). `regressions` compares the run with earlier ones (null: no history is kept).
    """
    session, around = board.session, around or Surroundings()
    run = session.run
    counts = dict.fromkeys(COUNTED, 0)
    if run is not None:
        counts |= {word: count for word, count in run.counts.items() if count}
    return {
        "version": VERSION,
        "generator": f"tdd-monitor {__version__}",
        "exitcode": exitcode,
        "state": run.state.value if run else "not started",
        "started_at": _started_at(run) if run else None,
        "duration_s": _duration_s(run) if run else 0.0,
        "environment": _environment(run, around.directory),
        "counts": counts,
        "deselected": run.deselected if run else 0,
        "tests": entries.of_tests(board, around.directory),
        "shared_fixtures": [
            _shared_fixture(shared)
            for shared in session.shared_fixtures.values()
            if run is not None and shared.run == run.number
        ],
        "collect_errors": entries.of_collect_errors(session, around.directory),
        "collect_skips": [entries.of_collect_skip(skip) for skip in run.collect_skips] if run else [],
        "alerts": [_alert(alert) for alert in board.alerts()],
        "regressions": regressions.document(board.judgement),
        "memory": [_memory(worker) for worker in session.workers.values() if worker.rss_bytes],
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
        "notices": list(around.notices),
        "gate": None,
        "pytest": _pytest(run, around.output) if run else {},
    }


def render(report: Mapping[str, Any]) -> str:
    """The document as text: ASCII, so that no reader and no encoding can fail on a test's name."""
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def _environment(run: Run | None, directory: str) -> dict[str, Any]:
    hello = run.hello if run is not None else None
    return {
        "python": hello.python if hello else "",
        "pytest": hello.pytest if hello else "",
        "plugins": list(hello.plugins) if hello else [],
        "rootdir": hello.rootdir if hello else "",
        "directory": directory,
    }


def _pytest(run: Run, output: Sequence[str]) -> dict[str, Any]:
    """pytest's own output, without escape sequences."""
    return {
        "header": "\n".join(plain_lines(run.header)),
        "summary": "\n".join(plain_lines(run.summary)),
        "stopped": run.cancel_reason,
        "stopped_because": run.cancel_detail,
        "unexplained_exit": pytest_messages.unexplained(run),
        "died": pytest_messages.died(run),
        "last_output": "\n".join(plain_lines(pytest_messages.last_output(run, output))),
    }


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


def _started_at(run: Run) -> str | None:
    if not run.requested_wall_ns:
        return None
    try:
        return datetime.fromtimestamp(run.requested_wall_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):  # a clock that is wrong beyond any calendar
        return None


def _duration_s(run: Run) -> float:
    return max(0, run.finished_ns - run.requested_ns) / 1e9


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
        "db": entries.plain(use.db),
    }


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
        "rule": alert.rule or None,
    }


def _memory(worker: Worker) -> dict[str, Any]:
    return {
        "worker": worker.id,
        "rss_mb": worker.rss_bytes / figures.MB,
        "first_rss_mb": worker.first_rss_bytes / figures.MB,
        "peak_rss_mb": worker.peak_rss_bytes / figures.MB,
        "warm_up_mb": worker.warm_up_bytes / figures.MB,
        "growth_mb": worker.growth_bytes / figures.MB,
    }
