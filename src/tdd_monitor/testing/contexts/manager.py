"""Owns the server, databases and connections that the tests of a process use."""

import asyncio
import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TypeVar

import asyncpg

from tdd_monitor.plugin import shared_work
from tdd_monitor.testing.connections import isolation
from tdd_monitor.testing.connections.asyncpg import ContextConnection
from tdd_monitor.testing.connections.isolation import Ending, IsolationError
from tdd_monitor.testing.connections.warm import WarmConnections
from tdd_monitor.testing.databases import busy_backends, project
from tdd_monitor.testing.databases.by_schema import FOR_ALL_TESTS, Databases, Provided
from tdd_monitor.testing.databases.server import CONNECT_TIMEOUT_S, DatabaseServer
from tdd_monitor.testing.databases.url import find_database_url
from tdd_monitor.testing.databases.worker import Database
from tdd_monitor.testing.schema.cache import SchemaCache
from tdd_monitor.testing.schema.declare import Schema

from .checked_out import AsyncContext, CheckedOut, ConnectionSource, Context
from .usage import Usage

Result = TypeVar("Result")

# On the embedded server: after this, check whether a lock blocks the connection.
_LOCKED_OUT_S = 3.0
_DEAD = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class DatabaseManager:
    """Gives each test a connection in its own transaction. Get it from `get_database_manager`.

    It starts on first use.
    """

    # Bound here: freezegun replaces names in modules, which would make durations meaningless.
    _now = staticmethod(time.perf_counter_ns)

    def __init__(self) -> None:
        self.schema_cache = SchemaCache()
        self.usage = Usage()
        self.sources: list[ConnectionSource] = []
        self._lock = threading.Lock()
        self._databases: Databases | None = None
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, WarmConnections] = (
            weakref.WeakKeyDictionary()
        )

    async def initialize(self) -> None:
        """Start the server and create the database of this process. Blocks the loop, once.

        Raises `EmbeddedPostgresError`, `ConfigError`, or what asyncpg raises for a URL that does not answer.
        """
        self.database()

    def start_early(self, *, with_database: bool) -> None:
        """Start the server, and create the database for tests without a schema. Blocks."""
        with self._lock:
            databases = self._start()
            if with_database and databases.shared(None) is None:
                self._provide(databases, None)

    def database(self, schema: Schema | None = None) -> Database:
        """Return the database of tests with this schema, created on the first call. Blocks."""
        with self._lock:
            databases = self._start()
            return databases.shared(schema) or self._provide(databases, schema).database

    def counts(self) -> Usage:
        """The counts so far, including the schema cache."""
        stats = self.schema_cache.cache_stats
        self.usage.schema_hits, self.usage.schema_misses = stats["hits"], stats["misses"]
        self.usage.ddl_operations_saved = stats["ddl_operations_saved"]
        return self.usage

    def pool_url(self, schema: Schema | None = None) -> str:
        """Return the URL of the database for pools, which commit; contexts use a different one. Blocks."""
        with self._lock:
            return self._start().for_pools(schema).url

    def acquire_own_database(self, schema: Schema | None) -> Provided:
        """Return a database for one test alone, for tests that must commit. Blocks until one is ready."""
        with self._lock:
            self.usage.own_databases += 1
            return self._start().acquire_own(schema)

    def release_own_database(self, database: Database) -> None:
        """Release a database from `acquire_own_database`, to be dropped."""
        with self._lock:
            if self._databases is not None:
                self._databases.release_own(database)

    async def get_test_connection(self, context: AsyncContext) -> ContextConnection:
        """Open the context: check out a connection to it, on which its transaction has begun.

        Raises SchemaError for a schema that PostgreSQL rejects, and what `initialize` raises.
        """
        database = self.database_for(context)
        if database.modified_by:
            self.recreate_if_modified(database)
        warm = self._warm()
        while True:
            started_ns = self._now()
            connection = warm.acquire(database)
            fresh = connection is None
            if connection is None:
                for_all = warm.opens_for_all
                with shared_work(FOR_ALL_TESTS) if for_all else contextlib.nullcontext():
                    connection = await self._open(warm, database)
                context.record_opened((self._now() - started_ns) / 1e6, for_all=for_all)
            else:
                context.record_acquired((self._now() - started_ns) / 1e6)
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
        self.usage.contexts += 1
        proxy = connection.check_out(context.test_id)
        context.checked_out = CheckedOut(connection, proxy, database, warm)
        return connection

    async def cleanup_test_connection(self, context: AsyncContext) -> Ending:
        """Close the context: nothing of what its test did remains.

        Returns how the transaction ended, for the context to warn its test. Raises IsolationError
        when a test has committed into a database of the user, RuntimeError when there is no connection.
        """
        if context.checked_out is None or context.checked_out.proxy.is_detached:
            raise RuntimeError(f"The context of {context.test_id} has no connection to clean up.")
        connection, _, database, warm = context.checked_out
        connection.check_in()
        try:
            ending = await connection.end_test()
        except BaseException:
            # Cancelled midway. Closing the connection rolls back, but the state before is unknown.
            warm.discard(connection)
            record_ending(database, Ending.LOST, context.test_id)
            self.recreate_if_modified(database)
            raise
        if ending.is_clean and self.others_connected(database):
            ending = Ending.BYPASSED
        if ending is Ending.ROLLED_BACK:
            await warm.release(connection)
        else:
            record_ending(database, ending, context.test_id)
            await self._remove(warm, connection, database, ending)
        if database.modified_by:
            self.recreate_if_modified(database)
        return ending

    def end_backend(self, backend: int) -> None:
        """Terminate an abandoned query: it may hold locks that the next test needs. Blocks."""
        self._administer(lambda admin: busy_backends.end_backend(admin, backend))

    def watch_sessions(self, database: Database) -> None:
        """Record the number of foreign connections to the database, when a test requests its URL."""
        if database.owned and database.sessions_before is None:
            database.sessions_before = self._sessions_of_others(database)

    def others_connected(self, database: Database) -> bool:
        """Return whether others have connected to the database since `watch_sessions`. Blocks."""
        before, database.sessions_before = database.sessions_before, None
        return before is not None and self._sessions_of_others(database) > before

    def left_on_server(self) -> list[str]:
        """What is new on the embedded server since this process started, such as `role bob`. Blocks."""
        with self._lock, contextlib.suppress(*_DEAD):
            return self._databases.left_on_server() if self._databases is not None else []
        return []

    async def close(self) -> None:
        """Close the running loop's connections, drop the databases, release the server.

        The next use starts the manager again.
        """
        warm = self._loops.pop(asyncio.get_running_loop(), None)
        if warm is not None:
            await warm.close()
        self.close_now()

    def close_now(self) -> None:
        """Like `close`, outside of any loop; connections of other loops are terminated."""
        with self._lock:
            for warm in list(self._loops.values()):
                warm.abandon()
            self._loops.clear()
            for source in self.sources:
                source.close()
            databases, self._databases = self._databases, None
            self.schema_cache.clear()
        atexit.unregister(self.close_now)
        if databases is not None:
            with contextlib.suppress(*_DEAD):  # The server is gone; a later run drops what is left.
                databases.close()

    def _start(self) -> Databases:
        if self._databases is None:
            server = DatabaseServer(find_database_url(project.root()), project.on_progress)
            self._databases = Databases(server)
            atexit.register(self.close_now)
        return self._databases

    def database_for(self, context: Context) -> Database:
        """Return the database for a context, and report its cost to it; blocks if it must be created."""
        # In the steady state only two lookups: this runs before every test.
        schema = context.schema
        if schema is not None and self.schema_cache.get_cached_ddl(schema.hash) is not None:
            self.schema_cache.record_saved(schema.hash)
        if self._databases is not None and (database := self._databases.shared(schema)) is not None:
            return database
        with self._lock:
            databases = self._start()
            database = databases.shared(schema)
            if database is None:
                provided = self._provide(databases, schema)
                context.record_provided(provided)
                database = provided.database
        return database

    def _provide(self, databases: Databases, schema: Schema | None) -> Provided:
        provided = databases.provide(schema)
        self.usage.databases += 1
        if schema is not None and provided.template is not None:
            self.schema_cache.cache_ddl(schema.hash, schema.text, provided.template.operations)
            if not provided.template.built_now:
                self.schema_cache.record_saved(schema.hash)
        return provided

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
        sources: list[ConnectionSource | WarmConnections] = [*self._loops.values(), *self.sources]
        return any(source.is_in_use(database) for source in sources)

    async def _open(self, warm: WarmConnections, database: Database) -> ContextConnection:
        database.opened += 1
        try:
            with self.reaching():
                connection = await warm.open(database, _LOCKED_OUT_S if database.owned else CONNECT_TIMEOUT_S)
        except TimeoutError as error:  # on the embedded server: elsewhere `reaching` raises another error
            if locked := self._administer(lambda admin: busy_backends.who_locks_out(admin, database.name)):
                raise TimeoutError(locked) from error
            connection = await warm.open(database, CONNECT_TIMEOUT_S)
        except (OSError, asyncpg.CannotConnectNowError):
            with self._lock:
                if self._databases is None or self._databases.server.given is not None:
                    raise
                self._databases.revive()
                database.url = self._databases.server.url_of(database.name)
            connection = await warm.open(database, CONNECT_TIMEOUT_S)
        self.usage.connections += 1
        return connection

    def _administer(self, work: Callable[[Any], Coroutine[Any, Any, Result]]) -> Result:
        databases = self._databases
        if databases is None:
            raise RuntimeError("The database manager was closed while a test used it.")
        return databases.administer(work)

    def _sessions_of_others(self, database: Database) -> int:
        # A session counts from when its client may send something; before PostgreSQL 14, never.
        count = "SELECT (to_jsonb(s)->>'sessions')::int FROM pg_stat_database s WHERE datname = $1"
        return (self._administer(lambda admin: admin.fetchval(count, database.name)) or 0) - database.opened

    def reaching(self, *failures: type[Exception]) -> AbstractContextManager[None]:
        """Guard the opening of a connection, like `DatabaseServer.reaching`."""
        databases = self._databases
        return contextlib.nullcontext() if databases is None else databases.server.reaching(*failures)

    async def _remove(
        self, warm: WarmConnections, connection: ContextConnection, database: Database, ending: Ending
    ) -> None:
        if ending is Ending.STUCK:
            await connection.cancel()
        warm.discard(connection)
        if ending is Ending.STUCK:
            with contextlib.suppress(*_DEAD):  # its transaction has ended with the query
                self.end_backend(connection.backend)

    def recreate_if_modified(self, database: Database) -> None:
        """Recreate a database into which a test has committed, once no context is open in it. Blocks.

        Raises IsolationError for a database of the user, which is left alone.
        """
        if not database.modified_by:
            return
        if not database.owned:
            self._refuse(database)
        if self._is_in_use(database):
            return
        with self._lock:
            if self._databases is not None:
                self._databases.recreate(database)
                self.usage.renewals += 1

    def _refuse(self, database: Database) -> NoReturn:
        test_id, database.modified_by = database.modified_by, ""
        given = self._databases.server.given if self._databases is not None else None
        source = given.source if given is not None else "the user"
        raise IsolationError(isolation.escaped_error(test_id, source))


def record_ending(database: Database, ending: Ending, test_id: str) -> None:
    """Record that a test may have left changes; the database is then recreated to be sure."""
    if ending is Ending.ESCAPED or (database.owned and not ending.is_clean):
        database.modified_by = test_id


_manager: DatabaseManager | None = None
_manager_lock = threading.Lock()


def get_database_manager() -> DatabaseManager:
    """Return the manager of this process; nothing is started before it is used."""
    global _manager  # noqa: PLW0603 - one per process is the point
    if _manager is None:
        with _manager_lock:
            _manager = _manager or DatabaseManager()
    return _manager


def used_manager() -> DatabaseManager | None:
    """Return the manager if it has been used, so that ending a run does not create one."""
    return _manager


_of_parents: list[DatabaseManager] = []


def _forget_in_forked_child() -> None:
    # Sockets and databases stay with the parent; the child gets its own on first use. What is inherited
    # is not collected either: that would take the parent's sockets out of the epoll that both share.
    global _manager, _manager_lock
    if _manager is not None:
        _of_parents.append(_manager)
        atexit.unregister(_manager.close_now)
    _manager, _manager_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_forked_child)
