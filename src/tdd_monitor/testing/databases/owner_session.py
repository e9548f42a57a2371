"""The session through which this process owns its databases on the embedded server.

It stays open for the lifetime of the process and holds an advisory lock: the server itself knows which
owners are alive, across containers and crashes. There is none on the user's server: its connections may
be limited, and orphans are not dropped there.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import asyncpg

from .server import CONNECT_TIMEOUT_S, DatabaseServer, run_apart

Result = TypeVar("Result")

# The advisory locks of all databases of the server.
_HELD = """
    SELECT (classid::bigint << 32) | objid::bigint AS key FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
"""
# Overrides what a test may have set on this session's role or database, and would block or end it.
_SETTINGS = {
    "application_name": "tdd-monitor owner",
    "default_transaction_read_only": "off",
    "lock_timeout": "0",
    "statement_timeout": "0",
}
_GONE = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError, OSError)


class OwnerSession:
    """Runs the administration of this process. `key` is the key of its lock. Everything here blocks."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self.key = secrets.randbits(60)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: Any = None

    def hold(self) -> None:
        """Acquire the lock before the first database is created, and again after a crash."""
        if self._server.given is None and (self._connection is None or self._connection.is_closed()):
            self.administer(_nothing)

    def administer(self, work: Callable[[Any], Coroutine[Any, Any, Result]]) -> Result:
        """Run `work` on the session."""
        if self._server.given is not None or (self._loop is not None and self._loop.is_running()):
            return self._server.administer(work)
        if self._loop is None:
            self._loop = asyncio.SelectorEventLoop()

        async def administer() -> Result:
            return await work(await self._open())

        return run_apart(administer, self._loop)

    def close(self) -> None:
        """Release the lock."""
        loop, self._loop = self._loop, None
        connection, self._connection = self._connection, None
        if loop is None or loop.is_running():
            return
        if connection is not None:
            run_apart(lambda: _close(connection), loop)
        loop.close()

    async def _open(self) -> Any:
        if self._connection is not None:
            try:
                await self._connection.execute("SELECT 1")
            except _GONE:
                self._connection.terminate()
            else:
                return self._connection
        self._connection = await asyncpg.connect(
            self._server.main_url,
            statement_cache_size=0,
            timeout=CONNECT_TIMEOUT_S,
            server_settings=_SETTINGS,
        )
        await self._connection.execute("SELECT pg_advisory_lock($1)", self.key)
        return self._connection


async def held_keys(admin: Any) -> set[int]:
    """Return the keys of all advisory locks on the server."""
    return {row["key"] for row in await admin.fetch(_HELD)}


async def _nothing(_: Any) -> None:
    """Do no work: opening the session is enough."""


async def _close(connection: Any) -> None:
    try:
        await connection.close(timeout=1)
    except (*_GONE, asyncpg.PostgresError):
        connection.terminate()
