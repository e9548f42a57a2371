"""What passes between the manager and the contexts, which know no more than this of each other."""

from typing import NamedTuple, Protocol

from tdd_monitor.testing.connections.asyncpg import ContextConnection
from tdd_monitor.testing.connections.proxy import ConnectionProxy
from tdd_monitor.testing.connections.warm import WarmConnections
from tdd_monitor.testing.databases.by_schema import Provided
from tdd_monitor.testing.databases.worker import Database
from tdd_monitor.testing.schema.declare import Schema


class ConnectionSource(Protocol):
    """Where contexts get connections: one for each event loop, and that of the plain contexts (psycopg)."""

    def is_in_use(self, database: Database) -> bool:
        """Tell whether a context is open in the database."""

    def close(self) -> None:
        """Close all connections."""


class CheckedOut(NamedTuple):
    """A connection on which the transaction of a test has begun, until `cleanup_test_connection`."""

    connection: ContextConnection
    proxy: ConnectionProxy  # with which the test uses it
    database: Database
    warm: WarmConnections  # to which it is released

    @property
    def backend(self) -> int:
        """The process id of its server process."""
        return self.connection.backend


class Context(Protocol):
    """What the manager knows of a test's context."""

    schema: Schema | None

    def note_provided(self, provided: Provided) -> None:
        """The database had to be made first."""


class AsyncContext(Context, Protocol):
    """What the manager knows of a context that it opens and closes."""

    test_id: str
    checked_out: CheckedOut | None

    def note_acquired(self, took_ms: float) -> None:
        """An open connection was there."""

    def note_opened(self, took_ms: float, *, for_all: bool) -> None:
        """A connection had to be opened; `for_all`: it stays open for the tests to come."""
