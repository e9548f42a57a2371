"""The interface between the manager and the contexts, which do not import each other."""

from typing import NamedTuple, Protocol

from tdd_monitor.testing.connections.asyncpg import ContextConnection
from tdd_monitor.testing.connections.proxy import ConnectionProxy
from tdd_monitor.testing.connections.warm import WarmConnections
from tdd_monitor.testing.databases.by_schema import Provided
from tdd_monitor.testing.databases.worker import Database
from tdd_monitor.testing.schema.declare import Schema


class ConnectionSource(Protocol):
    """The source of connections: one per event loop, and one for the plain contexts (psycopg)."""

    def is_in_use(self, database: Database) -> bool:
        """Return whether a context is open in the database."""

    def close(self) -> None:
        """Close all connections."""


class CheckedOut(NamedTuple):
    """A connection with an open test transaction, until `cleanup_test_connection`."""

    connection: ContextConnection
    proxy: ConnectionProxy  # with which the test uses it
    database: Database
    warm: WarmConnections  # to which it is released

    @property
    def backend(self) -> int:
        """The process id of its server process."""
        return self.connection.backend


class Context(Protocol):
    """A test's context, as the manager sees it."""

    schema: Schema | None

    def record_provided(self, provided: Provided) -> None:
        """The database had to be created first."""


class AsyncContext(Context, Protocol):
    """A context that the manager opens and closes."""

    test_id: str
    checked_out: CheckedOut | None

    def record_acquired(self, took_ms: float) -> None:
        """An open connection was available."""

    def record_opened(self, took_ms: float, *, for_all: bool) -> None:
        """A connection had to be opened; `for_all`: it stays open for later tests."""
