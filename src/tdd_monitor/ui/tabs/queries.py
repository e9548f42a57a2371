"""Connections and statements of one attempt, pool by pool: counts, time, repeated ones, leaks."""

from collections.abc import Iterator

from tdd_monitor import figures
from tdd_monitor.protocol.events import PoolUse, Statement
from tdd_monitor.session import metrics
from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import BLANK, Part, Row, Target, row, text_row
from tdd_monitor.verdict import wording

from .subject import Subject, headline, text_rows

SQL_MAX = 2000


def filled(subject: Subject) -> bool:
    """True if the test used a database, or may have."""
    return subject.record is not None and bool(subject.record.db or subject.record.unwatched)


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """One block per pool."""
    record = subject.record
    if record is not None and record.unwatched:
        yield text_row(f"Queries {format.visible(metrics.unmeasured_queries(record))}.", "warning")
        text = "The test process has connections open through that driver, whose queries cannot be observed."
        yield from text_rows(text, width, "dim")
        yield BLANK
    elif record is None or not record.db:
        yield text_row("No queries (asyncpg, SQLAlchemy and psycopg are observed).", "dim")
    for use in record.db if record is not None else ():
        yield from pool_rows(use, width)


def pool_rows(use: PoolUse, width: int) -> Iterator[Row]:
    """The use of one pool: statements, connections, waits, leaks and repeated statements."""
    yield headline(f"{format.visible(use.pool) or 'no pool'} ({format.visible(use.engine)})")
    yield _figure("statements", f"{use.queries:,}", f"in {figures.nanoseconds(use.query_ns)}")
    if use.ddl:
        longest = figures.nanoseconds(use.ddl_max_ns)
        yield _figure(
            "schema changes", f"{use.ddl:,}", f"in {figures.nanoseconds(use.ddl_ns)}, longest {longest}"
        )
    if use.acquires:
        longest = figures.nanoseconds(use.acquire_max_ns)
        note = f"waited {figures.nanoseconds(use.acquire_ns)} in total, {longest} at most, {use.peak} at once"
        yield _figure("connections", f"{use.acquires:,}", note)
    if use.waits:
        yield _figure("waits", f"{use.waits:,}", "times for a free connection", "warning")
    yield BLANK
    if use.leaked:
        yield row(
            ("◆ ", "critical"),
            (figures.plural(use.leaked, "connection"), "critical"),
            (" not released", "critical"),
        )
        for place in use.leaked_at:
            yield row(
                ("  acquired at ", "dim"), (format.visible(place), "accent"), target=Target("place", place)
            )
        yield from text_rows(wording.ADVICE["leaked_connections"], width, "dim")
        yield BLANK
    reads = [statement for statement in use.repeated if metrics.is_read(statement.sql)]
    writes = [statement for statement in use.repeated if not metrics.is_read(statement.sql)]
    if reads:
        yield headline("Repeated (N+1)")
        yield from text_rows(wording.ADVICE["repeated_queries"], width, "dim")
        yield from (_statement(statement, "warning") for statement in reads)
        yield BLANK
    if writes:
        yield headline("Repeated writes")
        yield from text_rows(wording.WRITES_ADVICE, width, "dim")
        yield from (_statement(statement, "text") for statement in writes)
        yield BLANK
    if use.slowest:
        yield headline("Slowest")
        yield from (_statement(statement, "text") for statement in use.slowest)
        yield BLANK


def _figure(name: str, value: str, note: str, role: str = "dim") -> Row:
    return row(
        (format.fit(f"  {name}", 18), "text"),
        (format.fit(value, 7, right=True), "strong"),
        (f"   {note}", role),
    )


def _statement(statement: Statement, role: str) -> Row:
    sql = format.visible(" ".join(statement.sql[:SQL_MAX].split()))
    count: Part = (format.fit(f"  {statement.count:,}x", 9, right=True), role)
    return row(
        count,
        (format.fit(figures.nanoseconds(statement.total_ns), 10, right=True) + "  ", "dim"),
        (sql, "text"),
    )
