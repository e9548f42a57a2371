"""Thresholds against the figures of one test, one pool, one server, one process: alerts with advice."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from tdd_monitor.config import Thresholds
from tdd_monitor.protocol.events import FinishedTest
from tdd_monitor.session import metrics
from tdd_monitor.session.model import DatabaseServer, Pool, Worker

from . import wording
from .wording import ADVICE

CRITICAL_FACTOR = 1.5


class Severity(StrEnum):
    """`warning` up to 1.5 times the threshold, `critical` above."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """A threshold that was broken: by how much, by what, and what to do about it."""

    metric: str
    value: float
    threshold: float
    severity: Severity
    subject: str  # the test's node id, or the pool, server or worker
    detail: str = ""
    advice: str = ""
    timestamp_ns: int = 0

    @property
    def factor(self) -> float:
        """How many times the threshold."""
        return self.value / self.threshold if self.threshold else float("inf")


def severity(value: float, threshold: float) -> Severity:
    """How bad `value`, already above `threshold`, is."""
    return Severity.CRITICAL if value > CRITICAL_FACTOR * threshold else Severity.WARNING


def _alert(metric: str, value: float, threshold: float, subject: str, detail: str, t_ns: int) -> Alert:
    return Alert(
        metric, value, threshold, severity(value, threshold), subject, detail, ADVICE.get(metric, ""), t_ns
    )


def of_test(record: FinishedTest, thresholds: Thresholds, t_ns: int) -> list[Alert]:
    """Alerts of one attempt, worst first. Skipped tests and reruns to come have none."""
    if record.outcome in ("skipped", "rerun"):
        return []
    values = metrics.metric_values(record)
    limits = thresholds.items()
    alerts = list(_fixture_alerts(record, limits["fixture_setup_ms"], t_ns))
    for name, limit in limits.items():
        value = values.get(name, 0.0)
        by_fixture = name == "fixture_setup_ms" and name not in record.metrics
        if limit and value > limit and not by_fixture:
            alerts.append(_alert(name, value, limit, record.nodeid, _detail(record, name), t_ns))
    leaked = values.get("leaked_connections", 0.0)
    if leaked:
        where = [place for use in record.db for place in use.leaked_at]
        detail = "acquired at " + ", ".join(where) if where else ""
        alerts.append(
            Alert(
                "leaked_connections",
                leaked,
                0.0,
                Severity.CRITICAL,
                record.nodeid,
                detail,
                ADVICE["leaked_connections"],
                t_ns,
            )
        )
    alerts.sort(key=lambda alert: (alert.severity is not Severity.CRITICAL, -alert.factor))
    return alerts


def _fixture_alerts(record: FinishedTest, limit: float, t_ns: int) -> Iterator[Alert]:
    for use in record.fixtures:
        value = use.self_ns / metrics.NS_PER_MS
        if limit and value > limit and not use.cached:
            detail = f"fixture {use.name} ({use.scope} scope)"
            yield _alert("fixture_setup_ms", value, limit, record.nodeid, detail, t_ns)


def _detail(record: FinishedTest, name: str) -> str:
    if name == "repeated_queries":
        statements = [statement for use in record.db for statement in use.repeated]
        return max(statements, key=lambda statement: statement.count).sql if statements else ""
    if name == "test_duration_ms":
        slowest = max(record.phases, key=metrics.phase_ns, default=None)
        if slowest is None:
            return ""
        took_ns = metrics.phase_ns(slowest)
        busy = slowest.cpu_ns / took_ns if took_ns else 0.0
        return f"most of it in {slowest.when}, {'computing' if busy > 0.5 else 'waiting'}"
    return ""


def of_pool(pool: Pool, thresholds: Thresholds, t_ns: int) -> list[Alert]:
    """Alerts of a connection pool: nearly used up, or somebody had to wait."""
    alerts = []
    maximum, name = pool.latest.max_size, pool.latest.name
    if pool.peak_waiting:
        advice = ADVICE["pool_waiting"]
        waiting = float(pool.peak_waiting)
        detail = f"{pool.peak_in_use} of {maximum or 'unlimited'} in use"
        alerts.append(Alert("pool_waiting", waiting, 0.0, Severity.CRITICAL, name, detail, advice, t_ns))
    limit = thresholds.pool_utilization
    if limit and maximum and pool.peak_in_use / maximum > limit:
        value = pool.peak_in_use / maximum
        detail = f"{pool.peak_in_use} of {maximum} in use"
        alerts.append(_alert("pool_utilization", value, limit, name, detail, t_ns))
    return alerts


def of_server(server: DatabaseServer, thresholds: Thresholds, t_ns: int) -> list[Alert]:
    """Alert of a database server that had nearly no connection left, or none."""
    limit, maximum = thresholds.server_connections, server.max_connections
    value = 1.0 if server.was_full else server.peak / maximum if maximum else 0.0
    if not limit or value <= limit:
        return []
    detail = f"{server.peak} of {maximum} connections" if maximum else ""
    if server.was_full:
        detail = ", ".join(filter(None, (detail, "it refused one more")))
    alert = _alert("server_connections", value, limit, server.latest.server, detail, t_ns)
    return [replace(alert, severity=Severity.CRITICAL) if server.was_full else alert]


def of_worker(worker: Worker, thresholds: Thresholds, t_ns: int) -> list[Alert]:
    """Alert of a process that keeps growing while it runs tests; a step is no growth (`Growth`)."""
    limit, growth = thresholds.memory_growth_mb, worker.growth
    lasting = growth.lasting_bytes() / metrics.MB if growth is not None else 0.0
    if growth is None or not limit or lasting <= limit:
        return []
    name = f"worker {worker.id}" if worker.id else "test process"
    span = f"from {growth.before_bytes / metrics.MB:.0f} to {growth.latest_bytes / metrics.MB:.0f} MB"
    detail = f"{span} in {wording.plural(growth.tests, 'test')}"
    return [_alert("memory_growth_mb", lasting, limit, name, detail, t_ns)]
