"""`tdd_database`: a database for one test alone, which may commit, open several connections, or run DDL.

Slower than a transaction, so only for tests that need it. The next one is created while a test runs.
"""

import time
from types import TracebackType
from typing import Any, Self

import asyncpg

from tdd_monitor.plugin import record_metric
from tdd_monitor.testing.connections.warm import close_quietly
from tdd_monitor.testing.databases.by_schema import Provided
from tdd_monitor.testing.schema.declare import Schema, schema_of

from .base import current_test
from .manager import DatabaseManager, get_database_manager


class TDDDatabase:
    """A database of one test: `url`, and an open `connection` if entered with `async with`.

    `path` says whether it was ready, `ready_ms` is how long the test waited for it.
    """

    def __init__(self, test_id: str | None = None, schema: Any = None) -> None:
        self.test_id = test_id or current_test()
        self.schema: Schema | None = schema_of(schema)
        self.path = ""
        self.ready_ms = 0.0
        self._manager: DatabaseManager = get_database_manager()
        self._provided: Provided | None = None
        self._connection: Any = None

    @property
    def url(self) -> str:
        """The URL, for any driver."""
        return self._held().database.url

    @property
    def name(self) -> str:
        """The name of the database on the server."""
        return self._held().database.name

    @property
    def connection(self) -> Any:
        """An asyncpg connection to it, outside a transaction."""
        if self._connection is None:
            raise RuntimeError(
                f"The database of {self.test_id} has no connection: enter it with `async with`."
            )
        return self._connection

    def acquire(self) -> Self:
        """Get the database. Blocks until one is ready. Raises SchemaError."""
        provided = self._provided = self._manager.acquire_own_database(self.schema)
        self.ready_ms = provided.took_ms
        self.path = "own database, was ready" if provided.was_ready else "own database, was waited for"
        record_metric("own_database_ms", self.ready_ms)
        record_metric("own_database_was_ready", float(provided.was_ready))
        return self

    def release(self) -> None:
        """Release it to be dropped, with all connections that the test has left open."""
        provided, self._provided = self._provided, None
        if provided is not None:
            self._manager.release_own_database(provided.database)

    async def __aenter__(self) -> Self:
        self.acquire()
        try:
            self._connection = await asyncpg.connect(self.url, statement_cache_size=0)
        except BaseException:
            self.release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        started_s = time.perf_counter()
        connection, self._connection = self._connection, None
        try:
            await close_quietly(connection)
        finally:
            self.release()
        record_metric("test_cleanup_ms", (time.perf_counter() - started_s) * 1e3)

    def _held(self) -> Provided:
        if self._provided is None:
            raise RuntimeError(
                f"The database of {self.test_id} is not open: use `async with`, or the fixture."
            )
        return self._provided


def tdd_database(test_id: str | None = None, schema: Any = None) -> TDDDatabase:
    """Return a database to open with `async with`. `schema` is anything that `declare_schema` takes."""
    return TDDDatabase(test_id, schema)
