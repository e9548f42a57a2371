"""Backends that block others: terminates them, or reports them.

Queried from a different database: a backend that has locked pg_class blocks new connections to its own.
"""

from typing import Any

_LOCKS = """
    SELECT l.pid, l.relation::regclass::text AS catalog, a.query
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = $1 AND l.granted AND l.mode = 'AccessExclusiveLock' AND l.relation < 16384
    LIMIT 1
"""


async def end_backend(admin: Any, backend: int) -> None:
    """Terminate an abandoned query: it may hold locks that the next test needs."""
    await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", backend)


async def who_locks_out(admin: Any, database: str) -> str:
    """Return a message about the backend that blocks connections to the database; "" without one."""
    found = await admin.fetchrow(_LOCKS, database)
    if found is None:
        return ""
    return (
        f"Cannot connect to {database}: backend {found['pid']} has locked {found['catalog']}, which"
        f" every new connection reads. Its last query: {found['query'][:200]!r}. End that transaction"
        " before the test opens another connection, or lock a user table instead."
    )
