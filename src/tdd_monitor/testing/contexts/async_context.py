"""`tdd_test_context`: a connection for one test, from which nothing remains.

`async with tdd_test_context(test_id="x") as context:` on any asyncio loop; the fixture of the same name
is the same thing, entered by pytest.
"""

import asyncio
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

from tdd_monitor.testing.connections.asyncpg import ContextConnection
from tdd_monitor.testing.connections.isolation import Ending
from tdd_monitor.testing.connections.proxy import ConnectionProxy
from tdd_monitor.testing.connections.warm import WarmConnections
from tdd_monitor.testing.databases.worker import Database
from tdd_monitor.testing.schema.declare import Schema

from .base import BaseContext


class TDDTestContext(BaseContext):
    """What a test gets: `connection`, `database_url`, and what that took: `timings`, `path`, `allocated`.

    `schema` is anything that `declare_schema` takes.
    """

    def __init__(self, test_id: str | None = None, schema: Any = None) -> None:
        super().__init__(test_id, schema)
        self._connection: ContextConnection | None = None
        self._lent: ConnectionProxy | None = None
        self._warm: WarmConnections | None = None
        self._outer: TDDTestContext | None = None
        self._inner: TDDTestContext | None = None
        self._task: asyncio.Task[Any] | None = None
        self._token: Token[TDDTestContext | None] | None = None

    @property
    def connection(self) -> Any:
        """The asyncpg connection of this test, inside its transaction; it refuses to work afterwards."""
        if self._lent is None:
            raise self._not_open()
        return self._lent

    def lend(self, connection: ContextConnection, database: Database, warm: WarmConnections) -> None:
        """Called by the manager, which has begun the transaction."""
        self._connection, self._database, self._warm = connection, database, warm
        self._lent = connection.lend(self.test_id)
        self._backend = connection.backend

    def take_back(self) -> tuple[ContextConnection, Database, WarmConnections]:
        """Called by the manager, which is about to end the transaction."""
        connection, database, warm = self._connection, self._database, self._warm
        if connection is None or database is None or warm is None:
            raise RuntimeError(f"The context of {self.test_id} has no connection to clean up.")
        self._connection = self._lent = None
        connection.recall()
        return connection, database, warm

    async def __aenter__(self) -> Self:
        started_ns = self.now()
        outer = _current.get()
        if outer is not None and outer.embraces(asyncio.current_task(), self.schema):
            connection = await self._join(outer)
        else:
            connection = await self._manager.get_test_connection(self)
        # To ask for the running loop is a system call before Python 3.12; the connection knows it.
        self._task = asyncio.current_task(connection.loop)
        self._token = _current.set(self)
        self.timings.context_setup_ms = (self.now() - started_ns) / 1e6
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        started_ns = self.now()
        self._leave()
        if self._outer is not None:
            await self._part(self._outer)
            return
        try:
            ending = await self._manager.cleanup_test_connection(self)
        finally:
            self.timings.test_cleanup_ms = (self.now() - started_ns) / 1e6
            self._record()
        if ending is not Ending.ROLLED_BACK:
            self._tell(ending)

    def embraces(self, task: asyncio.Task[Any] | None, schema: Schema | None) -> bool:
        """Tell whether a context that is opened in `task` is within this one, or beside it."""
        if self._connection is None or self._inner is not None:
            return False
        if schema is not None and schema != self.schema:
            return False  # in another database
        if task is self._task:
            return True
        if self._task is None or not self._task.done() or task is None:
            return False
        # Opened by a fixture, whose task is over. The test itself is within; tasks that it starts are
        # beside. Only our own loop knows which is which; on others the first to come is within.
        loop = task.get_loop()
        root = getattr(loop, "root_task", None)
        return loop is self._task.get_loop() and (root is None or root is task)

    async def _join(self, outer: "TDDTestContext") -> ContextConnection:
        connection = outer._connection
        assert connection is not None  # as `embraces` has made sure
        await connection.begin_nested()
        outer._inner = self
        self._outer, self._connection, self._database = outer, connection, outer._database
        self._lent = outer._lent
        self._backend = outer._backend
        return connection

    async def _part(self, outer: "TDDTestContext") -> None:
        connection, self._connection, self._lent = self._connection, None, None
        outer._inner = None
        if connection is not None and outer._connection is connection:
            await connection.end_nested()

    def _leave(self) -> None:
        token, self._token = self._token, None
        if token is None:
            return
        try:
            _current.reset(token)
        except ValueError:
            # Closed in another context than it was opened in, as some runners do with fixtures.
            if _current.get() is self:
                _current.set(self._outer)


def tdd_test_context(test_id: str | None = None, schema: Any = None) -> TDDTestContext:
    """Return a context to open with `async with`; within another one of the same test it nests.

    Contexts that are open at once in several tasks each have their own connection. With a `schema`
    (anything that `declare_schema` takes) its tables stand ready. Raises SchemaError.
    """
    return TDDTestContext(test_id, schema)


_current: ContextVar[TDDTestContext | None] = ContextVar("tdd_monitor_context", default=None)


def current_context() -> TDDTestContext | None:
    """Return the innermost context that is open here, if there is one."""
    context = _current.get()
    return context if context is not None and context._connection is not None else None
