"""`tdd_test_context`: a connection for one test, which leaves nothing behind.

`async with tdd_test_context(test_id="x") as context:` on any asyncio loop; the fixture of the same name
is the same thing, entered by pytest.
"""

import asyncio
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

from tdd_monitor.testing.connections.asyncpg import ContextConnection
from tdd_monitor.testing.connections.isolation import Ending
from tdd_monitor.testing.schema.declare import Schema

from .base import BaseContext
from .checked_out import CheckedOut


class TDDTestContext(BaseContext):
    """What a test gets: `connection` and `database_url`, with their cost: `timings`, `path`, `allocated`.

    `schema` is anything that `declare_schema` takes.
    """

    def __init__(self, test_id: str | None = None, schema: Any = None) -> None:
        super().__init__(test_id, schema)
        self.checked_out: CheckedOut | None = None
        self.inner: TDDTestContext | None = None
        self._outer: TDDTestContext | None = None
        self._left = False
        self._task: asyncio.Task[Any] | None = None
        self._token: Token[TDDTestContext | None] | None = None

    @property
    def connection(self) -> Any:
        """The asyncpg connection of this test, inside its transaction; unusable afterwards."""
        if self.checked_out is None or not self.is_open:
            raise self._not_open()
        return self.checked_out.proxy

    @property
    def is_open(self) -> bool:
        """Whether the test can use its connection."""
        return not (self._left or self.checked_out is None or self.checked_out.proxy.is_detached)

    async def __aenter__(self) -> Self:
        started_ns = self.now()
        outer = _current.get()
        if outer is not None and outer.embraces(asyncio.current_task(), self.schema):
            connection = await self._join(outer)
        else:
            connection = await self._manager.get_test_connection(self)
            self._left = False
        # The connection's loop, because getting the running one takes a system call before Python 3.12.
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
            self._report(ending)

    def embraces(self, task: asyncio.Task[Any] | None, schema: Schema | None) -> bool:
        """Return whether a context opened in `task` nests in this one, rather than being independent."""
        if not self.is_open or self.inner is not None:
            return False
        if schema is not None and schema != self.schema:
            return False  # in another database
        if task is self._task:
            return True
        if self._task is None or not self._task.done() or task is None:
            return False
        # Opened by a fixture whose task has finished. The test itself nests; tasks that it starts are
        # independent. Only our own loop can tell them apart; on others the first one nests.
        loop = task.get_loop()
        root = getattr(loop, "root_task", None)
        return loop is self._task.get_loop() and (root is None or root is task)

    async def _join(self, outer: "TDDTestContext") -> ContextConnection:
        assert outer.checked_out is not None  # ensured by `embraces`
        await outer.checked_out.connection.begin_nested()
        outer.inner = self
        self._outer, self.checked_out, self._left = outer, outer.checked_out, False
        return outer.checked_out.connection

    async def _part(self, outer: "TDDTestContext") -> None:
        self._outer, self._left, outer.inner = None, True, None
        if outer.is_open and outer.checked_out is self.checked_out is not None:
            await self.checked_out.connection.end_nested()

    def _leave(self) -> None:
        token, self._token = self._token, None
        if token is None:
            return
        try:
            _current.reset(token)
        except ValueError:
            # Opened in a different contextvars context, as some runners do with fixtures.
            if _current.get() is self:
                _current.set(self._outer)


def tdd_test_context(test_id: str | None = None, schema: Any = None) -> TDDTestContext:
    """Return a context to open with `async with`; within another one of the same test it nests.

    Contexts that are open at once in several tasks each have their own connection. With a `schema`
    (anything that `declare_schema` takes) its tables exist. Raises SchemaError.
    """
    return TDDTestContext(test_id, schema)


_current: ContextVar[TDDTestContext | None] = ContextVar("tdd_monitor_context", default=None)


def current_context() -> TDDTestContext | None:
    """Return the innermost open context, if there is one."""
    context = _current.get()
    return context if context is not None and context.is_open else None
