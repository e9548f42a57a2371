"""Backends in the way of others: to be ended, or to be named.

Asked from another database than theirs: one that has locked pg_class lets nobody into its own.
"""

from typing import Any

_LOCKS = """
    SELECT l.pid, l.relation::regclass::text AS catalog, a.query
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = $1 AND l.granted AND l.mode = 'AccessExclusiveLock' AND l.relation < 16384
    LIMIT 1
"""


async def end_backend(admin: Any, backend: int) -> None:
    """Stop a query that nobody waits for: it may hold locks that the next test needs."""
    await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", backend)


async def who_locks_out(admin: Any, database: str) -> str:
    """Say who keeps others from connecting to the database; "" when nobody does."""
    found = await admin.fetchrow(_LOCKS, database)
    if found is None:
        return ""
    return (
        f"Nobody can connect to {database} now: backend {found['pid']} has locked {found['catalog']}, which"
        f" every new connection reads. Its last query: {found['query'][:200]!r}. Let the test end that"
        " transaction before it opens another connection, or lock a table of its own."
    )
