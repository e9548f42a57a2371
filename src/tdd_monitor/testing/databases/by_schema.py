"""All databases of this process on one server, by the schema that a test uses. Everything here blocks."""

import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from tdd_monitor.plugin import shared_work
from tdd_monitor.testing.schema.declare import Schema

from .server import DatabaseServer
from .spare import SpareDatabases
from .template import Template, TemplateDatabases
from .worker import Database, WorkerDatabases

Result = TypeVar("Result")

# The name under which work done once for all tests of a process is recorded, whichever test triggers it.
FOR_ALL_TESTS = "tdd-monitor: test database"


@dataclass(frozen=True)
class Provided:
    """A database, and the time it took to provide. `template` is None without a schema."""

    database: Database
    took_ms: float
    template: Template | None = None
    was_ready: bool = False


class Databases:
    """The databases on a server; `close` drops them and releases the server."""

    def __init__(self, server: DatabaseServer) -> None:
        self.server = server
        self._worker = WorkerDatabases(server)
        self._templates = TemplateDatabases(server)
        self._spares = SpareDatabases(server, self._worker.describe)
        self._shared: dict[str, Database] = {}
        self._for_pools: dict[str, Database] = {}

    def shared(self, schema: Schema | None) -> Database | None:
        """Return the database shared by all tests with this schema, if it has been created."""
        return self._shared.get(schema.hash if schema is not None else "")

    def provide(self, schema: Schema | None) -> Provided:
        """Create the database shared by all tests with this schema. Raises SchemaError."""
        started_s = time.perf_counter()
        with shared_work(FOR_ALL_TESTS):
            template = self._template(schema)
            if schema is None or template is None:
                database = self._shared[""] = self._worker.get()
            else:
                database = self._shared[schema.hash] = self._worker.get(template.name, schema.settings)
            self._spares.replenish(database)
        return Provided(database, (time.perf_counter() - started_s) * 1e3, template)

    def for_pools(self, schema: Schema | None) -> Database:
        """Return this process's database for pools, which commit. Raises SchemaError."""
        key = schema.hash if schema is not None else ""
        if key not in self._for_pools:
            with shared_work(FOR_ALL_TESTS):
                template = self._template(schema)
                self._for_pools[key] = self._worker.add(
                    template.name if template is not None else "",
                    schema.settings if schema is not None else (),
                )
        return self._for_pools[key]

    def acquire_own(self, schema: Schema | None) -> Provided:
        """Return a database for one test alone. Raises SchemaError."""
        if schema is not None and not self._templates.has(schema):
            with shared_work(FOR_ALL_TESTS):
                self._template(schema)
        started_s = time.perf_counter()
        template = self._template(schema)
        database, was_ready = self._spares.acquire(
            template.name if template is not None else "", schema.settings if schema is not None else ()
        )
        return Provided(database, (time.perf_counter() - started_s) * 1e3, template, was_ready)

    def release_own(self, database: Database) -> None:
        """Schedule the database to be dropped."""
        self._spares.release(database)
        self._worker.settle()

    def recreate(self, database: Database) -> None:
        """Recreate a database that a test has modified."""
        self._worker.recreate(database)

    def administer(self, work: Callable[[Any], Coroutine[Any, Any, Result]]) -> Result:
        """Run `work` on this process's session, which is not in a test database."""
        return self._worker.administer(work)

    def left_on_server(self) -> list[str]:
        """Return what is new on the embedded server since this process started, such as `role bob`."""
        return self._worker.left_on_server()

    def revive(self) -> None:
        """Restart the embedded server after a crash. Raises `EmbeddedPostgresError`."""
        self.server.revive()
        self._worker.revive()

    def close(self) -> None:
        """Drop everything that the server lets us drop, and release it. Raises the server's errors."""
        with ExitStack() as last_to_first:
            last_to_first.callback(self.server.close)
            last_to_first.callback(self._worker.close)
            last_to_first.callback(self._templates.drop_own)
            last_to_first.callback(self._worker.drop_all)
            last_to_first.callback(self._spares.close)

    def _template(self, schema: Schema | None) -> Template | None:
        return None if schema is None else self._templates.get(schema, self._worker.next_name)
