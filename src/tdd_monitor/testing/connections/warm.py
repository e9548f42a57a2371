"""Open connections of one event loop, idle until the next test.

A connection belongs to the loop that opened it. So each loop has its own, and they are closed when
the loop shuts down; a `KeptLoop` never does, which is why 1,000 tests need only one connection.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg

from tdd_monitor.testing.databases.worker import Database

from .asyncpg import ContextConnection
from .asyncpg_internals import descriptor_of

# The backend's memory and catalog caches grow with the number of tests.
TESTS_PER_CONNECTION = 2000
IDLE_AT_MOST = 10  # per database
_SETTINGS = {"jit": "off", "application_name": "tdd-monitor"}
_CLOSE_TIMEOUT_S = 5.0


class WarmConnections:
    """The connections of the running event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_kept = getattr(loop, "is_kept", False)
        self._idle: dict[str, list[ContextConnection]] = {}
        self._in_use: set[ContextConnection] = set()
        self._keeper: AsyncGenerator[None, None] | None = None
        if self._is_kept:
            loop.residents.add(self)  # type: ignore[attr-defined]

    def descriptors(self) -> list[int]:
        """Return the file descriptors of all open connections."""
        idle = [connection for connections in self._idle.values() for connection in connections]
        return [descriptor_of(connection) for connection in (*self._in_use, *idle)]

    def acquire(self, database: Database) -> ContextConnection | None:
        """Return an idle connection to the database, None if there is none."""
        idle = self._idle.get(database.name)
        while idle:
            connection = idle.pop()
            if connection.generation == database.generation and not connection.is_closed():
                self._in_use.add(connection)
                return connection
            connection.terminate()
        return None

    @property
    def opens_for_all(self) -> bool:
        """Whether the next connection opened will be reused by later tests."""
        return self._is_kept and not self._in_use

    def is_in_use(self, database: Database) -> bool:
        """Return whether a context is open in the database."""
        return any(connection.database == database.name for connection in self._in_use)

    async def open(self, database: Database, timeout_s: float) -> ContextConnection:
        """Open a connection. Raises what asyncpg.connect raises."""
        if self._keeper is None and not self._is_kept:
            self._keeper = self._keep()
            await anext(self._keeper)
        connection: ContextConnection = await asyncpg.connect(
            database.url,
            connection_class=ContextConnection,
            # A cached statement would be stale for a same-named table of another shape in the next test.
            statement_cache_size=0,
            server_settings=_SETTINGS,
            timeout=timeout_s,
        )
        connection.database, connection.owned = database.name, database.owned
        connection.generation = database.generation
        self._in_use.add(connection)
        return connection

    async def release(self, connection: ContextConnection) -> None:
        """Keep a clean connection for the next test, or close it after its number of tests."""
        self._in_use.discard(connection)
        idle = self._idle.setdefault(connection.database, [])
        if connection.altered or connection.tests >= TESTS_PER_CONNECTION or len(idle) >= IDLE_AT_MOST:
            await close_quietly(connection)
            return
        if connection.tests == 2:
            # Worthwhile once it serves more than one test; before that, its loop might end soon.
            try:
                await connection.warm_up()
            except BaseException:
                connection.terminate()
                raise
        idle.append(connection)

    def discard(self, connection: ContextConnection) -> None:
        """Terminate a connection that must not be used again."""
        self._in_use.discard(connection)
        connection.terminate()

    async def close(self) -> None:
        """Close all connections; those in use are terminated, which rolls back."""
        for connection in self._in_use:
            connection.terminate()
        self._in_use.clear()
        for connection in self._all_idle():
            await close_quietly(connection)

    def abandon(self) -> None:
        """Drop connections whose loop was closed before them."""
        for connection in (*self._in_use, *self._all_idle()):
            # A closed loop cannot close their sockets; the garbage collector does, with a warning.
            with contextlib.suppress(RuntimeError):
                connection.terminate()
        self._in_use.clear()

    def _all_idle(self) -> list[ContextConnection]:
        idle, self._idle = self._idle, {}
        return [connection for connections in idle.values() for connection in connections]

    async def _keep(self) -> AsyncGenerator[None, None]:
        """An asynchronous generator, because every runner closes those while its loop still runs."""
        try:
            yield
        finally:
            self._keeper = None
            await self.close()


async def close_quietly(connection: Any) -> None:
    """Close a connection; terminate it if it does not answer."""
    try:
        await connection.close(timeout=_CLOSE_TIMEOUT_S)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        connection.terminate()
