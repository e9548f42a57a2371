"""Settings and objects that outlive a test on the embedded server.

A rollback undoes them; a test that commits, or that has its own database, leaves them behind for all
projects. Settings are reset; databases and roles are reported only, as they may belong to another process.
"""

import contextlib
from typing import Any

import asyncpg

# Settings of the account that all tests use, of all roles, and of the databases that others are copied from.
# What a test sets on its own roles and databases affects no other test.
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


class Leftovers:
    """Compares the server's objects with those at the start."""

    def __init__(self) -> None:
        self.begun = False
        self._known: set[str] = set()

    async def begin(self, admin: Any) -> None:
        """Record the existing objects, and reset settings left by earlier runs."""
        await reset_settings(admin)
        self._known = await _found(admin)
        self.begun = True

    async def new(self, admin: Any) -> list[str]:
        """Return the databases, roles and tablespaces created since, such as `role bob`."""
        return sorted(await _found(admin) - self._known)


async def reset_settings(admin: Any) -> None:
    """Reset the settings that apply to all projects."""
    for row in await admin.fetch(_SET):
        within = f" IN DATABASE {row['database']}" if row["database"] else ""
        # Fails if another process is resetting the same setting.
        with contextlib.suppress(asyncpg.PostgresError):
            await admin.execute(f"ALTER ROLE {row['role']}{within} RESET ALL")


async def _found(admin: Any) -> set[str]:
    return {row[0] for row in await admin.fetch(_FOUND)}
