"""Settings that outlive a test on the embedded server, and what else a test may have left there.

A transaction undoes them; a test that commits, or that has a database of its own, leaves them to all
projects. Settings are reset; databases and roles are told, because they may be those of another process.
"""

import contextlib
from typing import Any

import asyncpg

# Of the account that all tests have, of everybody, and of the databases from which others are made. What
# a test sets on roles and databases of its own hinders nobody.
_SET = """
    SELECT coalesce(quote_ident(r.rolname), 'ALL') AS role, quote_ident(d.datname) AS database
    FROM pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE (s.setrole = 0 OR r.rolname = session_user)
      AND (s.setdatabase = 0 OR d.datname IN ('postgres', 'template1'))
"""
_FOUND = """
    SELECT 'database ' || quote_ident(datname) FROM pg_database WHERE NOT starts_with(datname, 'tdd_')
    UNION ALL SELECT 'role ' || quote_ident(rolname) FROM pg_roles
    UNION ALL SELECT 'tablespace ' || quote_ident(spcname) FROM pg_tablespace
"""


class LeftOvers:
    """Knows what the server had at the beginning."""

    def __init__(self) -> None:
        self.begun = False
        self._known: set[str] = set()

    async def begin(self, admin: Any) -> None:
        """Note what is there, and reset what earlier runs have left."""
        await reset_settings(admin)
        self._known = await _found(admin)
        self.begun = True

    async def new(self, admin: Any) -> list[str]:
        """Return the databases, roles and tablespaces that have come since, such as `role bob`."""
        return sorted(await _found(admin) - self._known)


async def reset_settings(admin: Any) -> None:
    """Reset what holds for all projects."""
    for row in await admin.fetch(_SET):
        within = f" IN DATABASE {row['database']}" if row["database"] else ""
        # Another process may be doing the same just now, which is an error in one of them.
        with contextlib.suppress(asyncpg.PostgresError):
            await admin.execute(f"ALTER ROLE {row['role']}{within} RESET ALL")


async def _found(admin: Any) -> set[str]:
    return {row[0] for row in await admin.fetch(_FOUND)}
