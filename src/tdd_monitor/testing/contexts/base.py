"""What asynchronous and plain contexts have in common: their test, their timings, their reports."""

import os
import time
import warnings
from dataclasses import dataclass
from typing import Any, Protocol

from tdd_monitor.plugin import record_metric, use_shared_work
from tdd_monitor.testing.connections import isolation
from tdd_monitor.testing.connections.isolation import Ending, IsolationWarning
from tdd_monitor.testing.databases.by_schema import FOR_ALL_TESTS, Provided
from tdd_monitor.testing.databases.worker import Database
from tdd_monitor.testing.schema.declare import Schema, schema_of

from .manager import DatabaseManager, get_database_manager


@dataclass(init=False)  # created for every test: class attributes as defaults cost no time
class ContextTimings:
    """The toolkit's own time for a test, in milliseconds."""

    context_setup_ms: float = 0.0
    connection_acquire_ms: float = 0.0  # 0 where a connection had to be opened
    connection_open_ms: float = 0.0
    database_made_ms: float = 0.0  # 0 unless this test was the first to need its database
    schema_operation_ms: float = 0.0  # the mean of one statement, 0 unless this test built its schema
    test_cleanup_ms: float = 0.0


class Allocated(Protocol):
    """The server resources of a context."""

    @property
    def database(self) -> Database:
        """The database in which the test runs."""

    @property
    def backend(self) -> int:
        """The process id of the server process behind its connection."""


class BaseContext:
    """A test and the database that it runs in. `schema` is anything that `declare_schema` takes."""

    # Bound here: freezegun replaces names in modules, which would make durations meaningless.
    now = staticmethod(time.perf_counter_ns)

    def __init__(self, test_id: str | None = None, schema: Any = None) -> None:
        self.test_id = test_id or current_test()
        self.schema: Schema | None = schema_of(schema)
        self.path = "transaction" if schema is None else "transaction, schema reused"
        self.timings = ContextTimings()
        self._manager: DatabaseManager = get_database_manager()
        self.checked_out: Allocated | None = None  # kept after the end, for reports
        self._for_all_ms = 0.0
        self._opened_for_all = False

    @property
    def database_url(self) -> str:
        """The database in which the test runs; other connections to it do not see what the test does."""
        if self.checked_out is None:
            raise self._not_open()
        self._manager.watch_sessions(self.checked_out.database)
        return self.checked_out.database.url

    @property
    def allocated(self) -> list[str]:
        """The server process behind the test's connection, and its database."""
        if self.checked_out is None:
            return []
        return [f"backend {self.checked_out.backend}", f"database {self.checked_out.database.name}"]

    def record_provided(self, provided: Provided) -> None:
        """Called by the manager when it had to create the database for this test."""
        self.timings.database_made_ms = provided.took_ms
        self._for_all_ms += provided.took_ms
        template = provided.template
        if template is None:
            return
        self.path = "transaction, schema built" if template.built_now else "transaction, schema copied"
        if template.built_now:
            self.timings.schema_operation_ms = template.built_ms / max(1, template.operations)

    def record_acquired(self, took_ms: float) -> None:
        """Called when an open connection was available."""
        self.timings.connection_acquire_ms = took_ms

    def record_opened(self, took_ms: float, *, for_all: bool) -> None:
        """Called when a connection had to be opened; `for_all`: it stays open for later tests."""
        self.timings.connection_open_ms = took_ms
        self._opened_for_all = for_all
        if for_all:
            self._for_all_ms += took_ms

    def _record(self) -> None:
        """Report the test's own work; work done for all tests is reported as `FOR_ALL_TESTS`."""
        use_shared_work(FOR_ALL_TESTS)
        record_metric("context_setup_ms", max(0.0, self.timings.context_setup_ms - self._for_all_ms))
        if not self.timings.connection_open_ms:
            record_metric("connection_acquire_ms", self.timings.connection_acquire_ms)
        elif not self._opened_for_all:
            record_metric("connection_open_ms", self.timings.connection_open_ms)
        record_metric("test_cleanup_ms", self.timings.test_cleanup_ms)
        if self.schema is not None:
            record_metric("schema_cached", 0.0 if self.timings.schema_operation_ms else 1.0)

    def _report(self, ending: Ending) -> None:
        """Warn the test when its transaction could not simply be rolled back."""
        database = self.checked_out.database.name if self.checked_out is not None else ""
        if ending is Ending.ESCAPED:
            text = isolation.escaped_warning(self.test_id, database)
        elif ending is Ending.BYPASSED:
            text = isolation.bypassed_warning(self.test_id, database)
        elif ending is Ending.STUCK:
            text = isolation.stuck_warning(self.test_id)
        else:
            return
        warnings.warn(text, IsolationWarning, stacklevel=3)

    def _not_open(self) -> RuntimeError:
        return RuntimeError(f"The context of {self.test_id} is not open: enter it, or use the fixture.")


def current_test() -> str:
    """Return the node id of the running test, as set by pytest."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "")
    return test.rpartition(" (")[0] or "a context outside of pytest"
