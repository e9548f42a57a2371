"""Compares a test, pool, server or process with the thresholds: alerts with advice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tdd_monitor import figures
from tdd_monitor.config import Severity, Thresholds, severity
from tdd_monitor.protocol.events import FinishedTest, FixtureUse, Statement
from tdd_monitor.session import metrics
from tdd_monitor.session.model import DatabaseServer, Pool, SharedFixture, Worker

from . import wording
from .wording import ADVICE


@dataclass(frozen=True, slots=True)
class Alert:
    """An exceeded threshold: by how much, by what, and what to do about it."""

    metric: str
    value: float
    threshold: float
    severity: Severity
    subject: str  # the test's node id, or the pool, server or worker; for several tests, what they share
    detail: str = ""
    advice: str = ""
    timestamp_ns: int = 0
    tests: tuple[str, ...] = ()  # node ids of the tests concerned, the worst one first
    cause: str = ""  # alerts with the same metric and cause are merged
    summary: str = ""  # shown in the merged alert instead of the number of tests
    fixture: str = ""  # "scope:name" of the fixture, for a slow setup
    pool: str = ""
    waited: bool = False  # True if no connection was free
    rule: str = ""  # where the threshold was set, if not in the general ones

    @property
    def key(self) -> str:
        """Unique among the alerts shown together."""
        return f"{self.metric} {self.subject}"

    @property
    def factor(self) -> float:
        """The value as a multiple of the threshold."""
        return self.value / self.threshold if self.threshold else float("inf")


def _alert(metric: str, value: float, threshold: float, subject: str, detail: str, t_ns: int) -> Alert:
    return Alert(
        metric, value, threshold, severity(value, threshold), subject, detail, ADVICE.get(metric, ""), t_ns
    )


def of_test(record: FinishedTest, thresholds: Thresholds, t_ns: int) -> list[Alert]:
    """Alerts of one attempt, worst first. Skipped tests and attempts that are rerun have none."""
    if record.outcome in ("skipped", "rerun"):
        return []
    values = metrics.metric_values(record)
    limits = thresholds.items()
    alerts = list(_fixture_alerts(record, limits["fixture_setup_ms"], t_ns))
    for name, limit in limits.items():
        value = values.get(name, 0.0)
        by_fixture = name == "fixture_setup_ms" and name not in record.metrics
        if limit and value > limit and not by_fixture:
            alert = _alert(name, value, limit, record.nodeid, "", t_ns)
            alerts.append(_explained(alert, record))
    leaked = values.get("leaked_connections", 0.0)
    if leaked:
        alerts.append(_leak(record, leaked, t_ns))
    alerts.sort(key=lambda alert: (alert.severity is not Severity.CRITICAL, -alert.factor))
    return [replace(alert, tests=(record.nodeid,)) for alert in alerts]


def _leak(record: FinishedTest, leaked: float, t_ns: int) -> Alert:
    where = ", ".join(place for use in record.db for place in use.leaked_at)
    cause = f"acquired at {where}" if where else ""
    name, advice = "leaked_connections", ADVICE["leaked_connections"]
    return Alert(name, leaked, 0.0, Severity.CRITICAL, record.nodeid, cause, advice, t_ns, cause=cause)


def _fixture_alerts(record: FinishedTest, limit: float, t_ns: int) -> Iterator[Alert]:
    """Alerts of fixtures set up per test; shared ones are judged once all their users are known."""
    for use in record.fixtures:
        value = use.self_ns / figures.NS_PER_MS
        if limit and value > limit and not use.cached and not metrics.is_shared(use):
            alert = _alert("fixture_setup_ms", value, limit, record.nodeid, _named(use), t_ns)
            yield replace(alert, cause=_named(use), fixture=f"{use.scope}:{use.name}")


def _named(use: FixtureUse) -> str:
    return f"fixture {use.name} ({use.scope} scope)"


def of_shared(
    lives: Sequence[SharedFixture], thresholds_of: Callable[[str], Thresholds], t_ns: int
) -> list[Alert]:
    """Alerts of one shared fixture in one run, one for each test that triggered its setup.

    The cost of its setups is divided among all tests that used it. Each alert has the threshold of its test.
    """
    total = sum(life.use.self_ns for life in lives) / figures.NS_PER_MS
    tests = sum(life.tests for life in lives)
    setups = figures.plural(len(lives), "setup")
    summary = f"{setups}, {figures.milliseconds(total)}, for {figures.plural(tests, 'test')}"
    found = []
    for use in [life.use for life in lives] if tests else []:
        limit, user = thresholds_of(use.first_user).fixture_setup_ms, use.first_user
        if limit and total / tests > limit:
            alert = _alert("fixture_setup_ms", total / tests, limit, user, f"{_named(use)}: {summary}", t_ns)
            found.append(
                replace(
                    alert,
                    advice=wording.SHARED_FIXTURE_ADVICE,
                    cause=_named(use),
                    summary=summary,
                    fixture=f"{use.scope}:{use.name}",
                    tests=(user,),
                )
            )
    return found


def _explained(alert: Alert, record: FinishedTest) -> Alert:
    """The alert with its cause: the statement, the pool, the phase."""
    if alert.metric == "repeated_queries":
        sql = max(metrics.repeated_reads(record), key=lambda each: each.count, default=Statement("", 0)).sql
        return replace(alert, detail=sql, cause=sql)
    if alert.metric == "schema_operation_ms":
        sql = metrics.slowest_ddl(record)
        return replace(alert, detail=sql, cause=sql)
    if alert.metric == "connection_acquire_ms" and record.db:
        use = max(record.db, key=lambda use: use.acquire_max_ns)
        cause = f"pool {use.pool}" if use.pool else f"{use.engine}, no pool"
        cause += ", no free connection" if use.waits else ""
        return replace(alert, detail=cause, cause=cause, pool=use.pool, waited=use.waits > 0)
    if alert.metric == "test_duration_ms":
        slowest = max(record.phases, key=metrics.phase_ns, default=None)
        if slowest is not None:
            took_ns = metrics.phase_ns(slowest)
            busy = slowest.cpu_ns / took_ns if took_ns else 0.0
            how = "computing" if busy > 0.5 else "waiting"
            return replace(alert, detail=f"mostly in {slowest.when}, {how}")
    return alert


def of_pool(pool: Pool, thresholds: Thresholds, t_ns: int) -> list[Alert]:
    """Alerts of a connection pool: nearly exhausted, or requests had to wait."""
    maximum, name = pool.latest.max_size, pool.latest.name
    if pool.peak_waiting:
        advice = ADVICE["pool_waiting"]
        waiting = float(pool.peak_waiting)
        detail = f"{pool.peak_in_use} of {maximum or 'unlimited'} in use"
        alert = Alert("pool_waiting", waiting, 0.0, Severity.CRITICAL, name, detail, advice, t_ns)
        return [replace(alert, pool=name, cause=f"pools {name}")]  # it implies that the pool was exhausted
    limit = thresholds.pool_utilization
    if limit and maximum and pool.peak_in_use / maximum > limit:
        value = pool.peak_in_use / maximum
        detail = f"{pool.peak_in_use} of {maximum} in use"
        return [replace(_alert("pool_utilization", value, limit, name, detail, t_ns), cause=f"pools {name}")]
    return []


def of_server(server: DatabaseServer, thresholds: Thresholds, t_ns: int) -> list[Alert]:
    """Alert of a database server with few or no connections left."""
    limit, maximum = thresholds.server_connections, server.max_connections
    value = 1.0 if server.was_full else server.peak / maximum if maximum else 0.0
    if not limit or value <= limit:
        return []
    detail = f"{server.peak} of {maximum} connections" if maximum else ""
    if server.was_full:
        detail = ", ".join(filter(None, (detail, "a connection was refused")))
    alert = _alert("server_connections", value, limit, server.latest.server, detail, t_ns)
    return [replace(alert, severity=Severity.CRITICAL) if server.was_full else alert]


def of_worker(worker: Worker, thresholds: Thresholds, t_ns: int) -> list[Alert]:
    """Alert of a process that keeps growing while it runs tests; a single step does not count (`Growth`)."""
    limit, growth = thresholds.memory_growth_mb, worker.growth
    lasting = growth.lasting_bytes() / figures.MB if growth is not None else 0.0
    if growth is None or not limit or lasting <= limit:
        return []
    name = f"worker {worker.id}" if worker.id else "test process"
    span = f"from {growth.before_bytes / figures.MB:.0f} to {growth.latest_bytes / figures.MB:.0f} MB"
    detail = f"{span} in {figures.plural(growth.tests, 'test')}"
    alert = _alert("memory_growth_mb", lasting, limit, name, detail, t_ns)
    return [replace(alert, cause="test processes")]
