"""Figures of one attempt, under their public names. Pure functions of a record."""

import functools
import re

from tdd_monitor.figures import MB, NS_PER_MS
from tdd_monitor.protocol.events import FinishedTest, FixtureUse, Phase, PoolUse, Statement


def categories(record: FinishedTest) -> list[str]:
    """Return the words under which pytest's summary line counts this attempt.

    A test that passes and then fails in teardown counts twice there: 1 passed, 1 error. So does one
    with a failed subtest.
    """
    words = []
    for phase in record.phases:
        if phase.outcome == "failed":
            words.append("error" if phase.when in ("setup", "teardown") else "failed")
        elif phase.outcome in ("skipped", "xfailed", "xpassed", "rerun") or (
            phase.outcome == "passed" and phase.when == "call"
        ):
            words.append(phase.outcome)
        if phase.outcome == "rerun":
            return words  # reports after the one that triggers a rerun are never published
    words += ["failed" for subtest in record.subtests if subtest.outcome == "failed"]
    return words or [record.outcome]


def phase(record: FinishedTest, when: str) -> Phase | None:
    """Return the phase of that name, if the attempt got that far."""
    return next((phase for phase in record.phases if phase.when == when), None)


def phase_ns(phase: Phase) -> int:
    """Wall time of the phase, without the shared fixtures that were set up or torn down in it."""
    return max(0, phase.wall_ns - phase.shared_ns)


def is_shared(fixture: FixtureUse) -> bool:
    """Return whether the fixture outlives a test: its time is not the test's own."""
    return fixture.scope != "function"


def shared_ns(record: FinishedTest) -> int:
    """Time of shared fixtures that this attempt happened to set up or tear down."""
    return sum([use.self_ns + use.teardown_ns for use in record.fixtures if use.scope != "function"])


def total_ns(record: FinishedTest) -> int:
    """Wall time of all phases, including shared fixtures: the total that `--durations` reports."""
    return sum([phase.wall_ns for phase in record.phases])


def own_ns(record: FinishedTest) -> int:
    """The test's own time: all phases without the shared fixtures it happened to set up or tear down."""
    # An older plugin reports it only in the fixtures.
    shared = sum([phase.shared_ns for phase in record.phases]) or shared_ns(record)
    return max(0, total_ns(record) - shared)


def cpu_ns(record: FinishedTest) -> int:
    """CPU time of all phases, without shared fixtures."""
    return sum([phase.cpu_ns for phase in record.phases])


def memory_delta_bytes(record: FinishedTest) -> int:
    """Growth of the process over the attempt, without that of shared fixtures."""
    return sum([phase.rss_delta_bytes for phase in record.phases])


def queries(record: FinishedTest) -> int:
    """Number of statements that the attempt sent to databases, including DDL, as far as counted."""
    return sum([use.queries for use in record.db])


def unmeasured_queries(record: FinishedTest) -> str:
    """ "not measured (psycopg2)" for a test that may have used unobserved drivers, else ""."""
    return f"not measured ({', '.join(record.unwatched)})" if record.unwatched else ""


def has_queries(record: FinishedTest) -> bool:
    """False when the number of queries is unknown, as opposed to zero."""
    return bool(record.db) or not record.unwatched


def longrepr(record: FinishedTest) -> str:
    """Return the tracebacks (or skip reasons) of all phases, in order."""
    return "\n\n".join(phase.longrepr for phase in record.phases if phase.longrepr)


def metric_values(record: FinishedTest) -> dict[str, float]:
    """Return every named metric of the attempt; those of the toolkit and of extensions take precedence."""
    values = {
        "test_duration_ms": own_ns(record) / NS_PER_MS,
        "total_duration_ms": total_ns(record) / NS_PER_MS,
        "cpu_ms": cpu_ns(record) / NS_PER_MS,
        "memory_usage_mb": memory_delta_bytes(record) / MB,
    }
    if has_queries(record):
        values["queries"] = float(queries(record))
    setups = [use.self_ns for use in record.fixtures if use.self_ns and use.scope == "function"]
    if setups:
        values["fixture_setup_ms"] = max(setups) / NS_PER_MS
    values.update(_database_metrics(record.db))
    repeated = repeated_reads(record)
    if repeated:
        values["repeated_queries"] = float(max(statement.count for statement in repeated))
    values.update(record.metrics)
    return values


def _database_metrics(db: tuple[PoolUse, ...]) -> dict[str, float]:
    if not db:
        return {}
    values = {
        "query_ms": sum([use.query_ns for use in db]) / NS_PER_MS,
        "leaked_connections": float(sum([use.leaked for use in db])),
        "pool_peak": float(max([use.peak for use in db])),
    }
    acquired = [use.acquire_max_ns for use in db if use.acquires]
    if acquired:
        values["connection_acquire_ms"] = max(acquired) / NS_PER_MS
    changed = [use.ddl_max_ns for use in db if use.ddl]
    if changed:
        values["schema_operation_ms"] = max(changed) / NS_PER_MS
    return values


_READ = re.compile(r"[\s(]*(SELECT|TABLE|VALUES|WITH)\b", re.IGNORECASE)
_DDL = re.compile(r"[\s(]*(CREATE|ALTER|DROP|TRUNCATE|COMMENT|GRANT|REVOKE|REINDEX)\b", re.IGNORECASE)
_WRITE = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)


@functools.lru_cache(maxsize=4096)  # the same statements come with every test
def is_read(sql: str) -> bool:
    """Return whether the statement only reads: repeated, it is a query in a loop (N+1).

    Repeated writes are not reported: that is how tests create their rows.
    """
    start = _READ.match(sql)
    if start is None:
        return False
    return start[1].upper() != "WITH" or _WRITE.search(sql) is None


def slowest_ddl(record: FinishedTest) -> str:
    """Return the slowest schema change, "" when none is among the slowest statements."""
    slowest = (statement for use in record.db for statement in use.slowest if _DDL.match(statement.sql))
    return max(slowest, key=lambda statement: statement.total_ns, default=Statement("", 0)).sql


def repeated_reads(record: FinishedTest) -> list[Statement]:
    """Return the read-only statements that the attempt ran more than once."""
    return [statement for use in record.db for statement in use.repeated if is_read(statement.sql)]
