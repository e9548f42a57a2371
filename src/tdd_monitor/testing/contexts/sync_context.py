"""`tdd_sync_context`: the counterpart of `tdd_test_context` for plain tests, on psycopg 3."""

import contextlib
import threading
import weakref
from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import asyncpg

from tdd_monitor.plugin import shared_work
from tdd_monitor.testing.connections.isolation import Ending
from tdd_monitor.testing.connections.warm import IDLE_AT_MOST, TESTS_PER_CONNECTION
from tdd_monitor.testing.databases.by_schema import FOR_ALL_TESTS
from tdd_monitor.testing.databases.server import CONNECT_TIMEOUT_S
from tdd_monitor.testing.databases.worker import Database
from tdd_monitor.testing.schema.declare import Schema

from .base import BaseContext
from .manager import get_database_manager, record_ending

try:
    import psycopg

    from tdd_monitor.testing.connections import psycopg as sync_connection
    from tdd_monitor.testing.connections.psycopg import SyncConnection
except ImportError as error:
    raise ImportError("Plain tests need psycopg 3: pip install 'tdd-monitor[psycopg]'") from error


@dataclass(eq=False)
class _Warm:
    """A libpq connection and its database."""

    pgconn: Any
    database: Database
    generation: int
    backend: int
    tests: int = 0

    @property
    def usable(self) -> bool:
        return self.generation == self.database.generation and self.pgconn.status == psycopg.pq.ConnStatus.OK


class SyncConnections:
    """The open libpq connections of this process; they serve every thread, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Warm] = []
        self._in_use: set[_Warm] = set()

    def acquire(self, database: Database) -> _Warm:
        """Return a connection on which a transaction has begun. Raises what psycopg raises."""
        while (warm := self._take_idle(database)) is not None:
            try:
                sync_connection.begin_test(warm.pgconn)
            except psycopg.Error:
                warm.pgconn.finish()
                continue
            return self._use(warm)
        manager = get_database_manager()
        database.opened += 1
        with manager.reaching(psycopg.OperationalError):
            pgconn = sync_connection.connect(database.url, CONNECT_TIMEOUT_S)
        warm = _Warm(pgconn, database, database.generation, pgconn.backend_pid)
        manager.usage.connections += 1
        sync_connection.begin_test(warm.pgconn)
        return self._use(warm)

    def release(self, warm: _Warm) -> None:
        """Keep a clean connection for the next test, unless it has served its number of tests."""
        if warm.tests == 2:
            sync_connection.execute(warm.pgconn, "CREATE TEMP TABLE tdd_monitor_w();DROP TABLE tdd_monitor_w")
        with self._lock:
            self._in_use.discard(warm)
            if warm.tests < TESTS_PER_CONNECTION and len(self._idle) < IDLE_AT_MOST:
                self._idle.append(warm)
                return
        warm.pgconn.finish()

    def discard(self, warm: _Warm) -> None:
        """Discard a connection that must not be used again."""
        with self._lock:
            self._in_use.discard(warm)

    @property
    def opens_for_all(self) -> bool:
        """Whether a connection must be opened, which later tests will reuse."""
        return not self._idle and not self._in_use

    def is_in_use(self, database: Database) -> bool:
        """Return whether a context is open in the database."""
        return any(warm.database is database for warm in self._in_use)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            everything = [*self._idle, *self._in_use]
            self._idle.clear()
            self._in_use.clear()
        for warm in everything:
            warm.pgconn.finish()

    def _take_idle(self, database: Database) -> _Warm | None:
        with self._lock:
            unusable = [warm for warm in self._idle if not warm.usable]
            self._idle = [warm for warm in self._idle if warm.usable]
            found = next((warm for warm in reversed(self._idle) if warm.database is database), None)
            if found is not None:
                self._idle.remove(found)
        for warm in unusable:
            warm.pgconn.finish()
        return found

    def _use(self, warm: _Warm) -> _Warm:
        warm.tests += 1
        with self._lock:
            self._in_use.add(warm)
        return warm


class TDDSyncContext(BaseContext):
    """What a plain test gets: `connection` (psycopg), `database_url`, `timings`, `path`, `allocated`.

    `schema` is anything that `declare_schema` takes.
    """

    def __init__(self, test_id: str | None = None, schema: Any = None) -> None:
        super().__init__(test_id, schema)
        self.checked_out: _Warm | None = None
        self._connection: SyncConnection | None = None
        self.joined: list[weakref.ref[SyncConnection]] = []
        self.outer: TDDSyncContext | None = None
        self._thread = 0
        self._token: Token[TDDSyncContext | None] | None = None

    @property
    def connection(self) -> Any:
        """The psycopg connection of this test; its `commit` is undone after the test."""
        if self._connection is None:
            raise self._not_open()
        return self._connection

    @property
    def is_open(self) -> bool:
        """Whether the test can use its connection."""
        return self._connection is not None

    def join(self) -> SyncConnection:
        """Return another connection in this transaction, with its own savepoints."""
        if self.checked_out is None or not self.is_open:
            raise self._not_open()
        connection = SyncConnection(self.checked_out.pgconn)
        connection.begin_nested()
        outermost = self
        while outermost.outer is not None:
            outermost = outermost.outer
        outermost.joined.append(weakref.ref(connection))
        return connection

    def __enter__(self) -> Self:
        started_ns = self.now()
        outer = _current.get()
        if outer is not None and outer.embraces(self.schema):
            self._join(outer)
        else:
            self._open()
        self._thread = threading.get_ident()
        self._token = _current.set(self)
        self.timings.context_setup_ms = (self.now() - started_ns) / 1e6
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        started_ns = self.now()
        if self._token is not None:
            _current.reset(self._token)
        connection, self._connection = self._connection, None
        warm, outer = self.checked_out, self.outer
        self.outer = None
        if connection is None or warm is None:
            return
        if outer is not None:
            connection.undo()
            return
        try:
            ending = self._close(warm, connection)
        finally:
            self.timings.test_cleanup_ms = (self.now() - started_ns) / 1e6
            self._record()
        self._report(ending)

    def embraces(self, schema: Schema | None) -> bool:
        """Return whether a context opened here nests in this one."""
        same = schema is None or schema == self.schema
        return same and self.is_open and self._thread == threading.get_ident()

    def _open(self) -> None:
        database = self._manager.database_for(self)
        self._manager.recreate_if_modified(database)
        if _connections not in self._manager.sources:
            self._manager.sources.append(_connections)
        started_ns = self.now()
        for_all = _connections.opens_for_all
        with shared_work(FOR_ALL_TESTS) if for_all else contextlib.nullcontext():
            warm = self.checked_out = _connections.acquire(database)
        took_ms = (self.now() - started_ns) / 1e6
        if warm.tests == 1:
            self.record_opened(took_ms, for_all=for_all)
        else:
            self.record_acquired(took_ms)
        self._connection = SyncConnection(warm.pgconn)
        self._manager.usage.contexts += 1

    def _join(self, outer: "TDDSyncContext") -> None:
        self.outer, self.checked_out = outer, outer.checked_out
        self._connection = outer.join()

    def _close(self, warm: _Warm, connection: SyncConnection) -> Ending:
        for joined in self.joined:
            left = joined()
            if left is not None and not left.closed:
                left.detach(self.test_id)
        ending = connection.ending if connection.closed else sync_connection.end_test(warm.pgconn)
        if ending.is_clean and self._manager.others_connected(warm.database):
            ending = Ending.BYPASSED
        if ending is Ending.ROLLED_BACK:
            connection.detach(self.test_id)
            _connections.release(warm)
            return ending
        _connections.discard(warm)
        record_ending(warm.database, ending, self.test_id)
        if ending is Ending.STUCK:
            # Another thread is inside libpq, which would crash if the connection were closed.
            warm.pgconn.get_cancel().cancel()
            with suppress(
                asyncpg.PostgresError, asyncpg.InterfaceError, OSError
            ):  # until the query has ended
                self._manager.end_backend(warm.backend)
        else:
            connection.detach(self.test_id)
            warm.pgconn.finish()
        self._manager.recreate_if_modified(warm.database)
        return ending


def tdd_sync_context(test_id: str | None = None, schema: Any = None) -> TDDSyncContext:
    """Return a context to open with `with`; within another one of the same thread it nests."""
    return TDDSyncContext(test_id, schema)


def current_sync_context() -> TDDSyncContext | None:
    """Return the innermost open plain context, if there is one."""
    context = _current.get()
    return context if context is not None and context.is_open else None


_connections = SyncConnections()
_current: ContextVar[TDDSyncContext | None] = ContextVar("tdd_monitor_sync_context", default=None)
