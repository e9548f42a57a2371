"""The one owner, per process, of server, databases and connections that the tests use."""

import asyncio
import atexit
import os
import threading
import weakref
from typing import TYPE_CHECKING, NoReturn

import asyncpg

from . import isolation, project
from .connection import ContextConnection
from .database_server import DatabaseServer
from .database_url import find_database_url
from .isolation import Ending, IsolationError
from .warm_connections import WarmConnections
from .worker_databases import Database, WorkerDatabases

if TYPE_CHECKING:
    from .context import TDDTestContext

_DEAD = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class DatabaseManager:
    """Lends each test a connection in a transaction of its own. Get it from `get_database_manager`.

    It starts on first use, whatever is asked of it first.
    """

    def __init__(self) -> None:
        self.connections_opened = 0
        self._lock = threading.Lock()
        self._server: DatabaseServer | None = None
        self._databases: WorkerDatabases | None = None
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, WarmConnections] = (
            weakref.WeakKeyDictionary()
        )

    async def initialize(self) -> None:
        """Start the server and make the database of this process. Blocks the loop, once.

        Raises `EmbeddedPostgresError`, `ConfigError`, or what asyncpg raises for a URL that does not answer.
        """
        self.database()

    def database(self, template: str = "") -> Database:
        """Return this process's database with the contents of `template`; the first call makes it. Blocks."""
        with self._lock:
            if self._databases is None:
                self._server = DatabaseServer(find_database_url(project.root()), project.on_progress)
                self._databases = WorkerDatabases(self._server)
                atexit.register(self.close_now)
            return self._databases.get(template)

    async def get_test_connection(self, context: "TDDTestContext") -> ContextConnection:
        """Open the context: lend it a connection on which its transaction has begun."""
        database = self.database()
        warm = self._warm()
        while True:
            started_ns = context.now()
            connection = warm.take(database)
            fresh = connection is None
            if connection is None:
                connection = await self._open(warm, database)
            context.timings.connection_acquire_ms = (context.now() - started_ns) / 1e6
            try:
                await connection.begin_test()
            except _DEAD:
                warm.discard(connection)
                if fresh:
                    raise
            except BaseException:
                warm.discard(connection)
                raise
            else:
                break
        context.lend(connection, database)
        return connection

    async def cleanup_test_connection(self, context: "TDDTestContext") -> Ending:
        """Close the context: nothing of what its test did remains.

        Returns how the transaction ended, of which the context tells its test. Raises IsolationError
        when a test has committed into a database of the user.
        """
        connection, database = context.take_back()
        warm = self._warm()
        try:
            ending = await connection.end_test()
        except BaseException:
            # Cancelled in the middle: closing the connection rolls back as well.
            warm.discard(connection)
            raise
        if ending is Ending.ROLLED_BACK:
            await warm.give_back(connection)
        else:
            await self._remove(warm, connection, database, ending)
        if database.spoilt and not self._is_in_use(database):
            self._clean(context, database)
        return ending

    async def close(self) -> None:
        """Close the running loop's connections, drop the databases, give the server back.

        Whoever uses the manager again starts it again.
        """
        warm = self._loops.pop(asyncio.get_running_loop(), None)
        if warm is not None:
            await warm.close()
        self.close_now()

    def close_now(self) -> None:
        """As `close`, from outside of any loop; connections of other loops are cut off."""
        with self._lock:
            for warm in list(self._loops.values()):
                warm.abandon()
            self._loops.clear()
            server, databases = self._server, self._databases
            self._server = self._databases = None
        atexit.unregister(self.close_now)
        if server is not None and databases is not None:
            try:
                databases.drop_all()
            except _DEAD:
                pass  # The server is gone; a later run drops what is left.
            finally:
                server.close()

    def _warm(self) -> WarmConnections:
        loop = asyncio.get_running_loop()
        warm = self._loops.get(loop)
        if warm is None:
            self._forget_closed_loops()
            warm = self._loops[loop] = WarmConnections(loop)
        return warm

    def _forget_closed_loops(self) -> None:
        for loop in [each for each in self._loops if each.is_closed()]:
            self._loops.pop(loop).abandon()

    def _is_in_use(self, database: Database) -> bool:
        self._forget_closed_loops()
        return any(warm.lends(database) for warm in self._loops.values())

    async def _open(self, warm: WarmConnections, database: Database) -> ContextConnection:
        try:
            connection = await warm.open(database)
        except (OSError, asyncpg.CannotConnectNowError):
            with self._lock:
                if self._server is None or self._server.given is not None:
                    raise
                self._server.revive()
                database.url = self._server.url_of(database.name)
            connection = await warm.open(database)
        self.connections_opened += 1
        return connection

    async def _remove(
        self, warm: WarmConnections, connection: ContextConnection, database: Database, ending: Ending
    ) -> None:
        if ending is Ending.STUCK:
            backend = connection.get_server_pid()
            warm.discard(connection)
            await _end_backend(database, backend)
            return
        warm.discard(connection)
        if ending is Ending.ESCAPED:
            database.spoilt = True

    def _clean(self, context: "TDDTestContext", database: Database) -> None:
        if not database.owned:
            database.spoilt = False
            self._refuse(context)
        with self._lock:
            assert self._databases is not None
            self._databases.renew(database)

    def _refuse(self, context: "TDDTestContext") -> NoReturn:
        assert self._server is not None
        assert self._server.given is not None
        raise IsolationError(isolation.escaped_error(context.test_id, self._server.given.source))


async def _end_backend(database: Database, backend: int) -> None:
    """Stop a query that nobody waits for: it may hold locks that the next test needs."""
    connection = await asyncpg.connect(database.url)
    try:
        await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", backend)
    finally:
        await connection.close()


_manager: DatabaseManager | None = None
_manager_lock = threading.Lock()


def get_database_manager() -> DatabaseManager:
    """Return the manager of this process; nothing is started before it is used."""
    global _manager  # noqa: PLW0603 - one per process is the point
    with _manager_lock:
        if _manager is None:
            _manager = DatabaseManager()
        return _manager


def used_manager() -> DatabaseManager | None:
    """Return the manager when somebody has asked for it, so that ending a run does not make one."""
    return _manager


def _forget_in_forked_child() -> None:
    # Sockets and databases stay with the parent; the child gets its own when it asks.
    global _manager, _manager_lock
    if _manager is not None:
        atexit.unregister(_manager.close_now)
    _manager, _manager_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_forked_child)
