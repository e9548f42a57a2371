"""The databases of this process: made when a test first needs one, made anew when a test has spoilt it.

Each process that runs tests has its own, so workers of pytest-xdist and runs of other projects never meet.
A database of the user (by URL) is used as it is: nothing is created, nothing dropped.
"""

import os
import re
import time
from dataclasses import dataclass, field
from typing import Any

from .database_server import DatabaseServer

_NAME = re.compile(r"tdd_\w+?_(\d+)_(\d+)_\d+")
_LIST = "SELECT datname FROM pg_database WHERE datname LIKE 'tdd\\_%'"
_SWEPT_AT_ONCE = 10


@dataclass(eq=False)
class Database:
    """A database in which tests run. `generation` grows each time that it is made anew."""

    name: str
    url: str
    template: str = ""
    owned: bool = True
    generation: int = 0
    spoilt: bool = False
    built_ms: float = field(default=0.0)


class WorkerDatabases:
    """Makes, renews and drops the databases of this process on one server. All of it blocks."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self._databases: dict[str, Database] = {}
        self._count = 0

    def get(self, template: str = "") -> Database:
        """Return the database of this process with the contents of `template`; "" means an empty one.

        Empty means as it is, where the user has given a URL.
        """
        database = self._databases.get(template)
        if database is None:
            database = self._databases[template] = self._provide(template)
        return database

    def create(self, template: str) -> Database:
        """Make one more database, for the caller alone: he drops it."""
        name = self._next_name()
        started_s = time.perf_counter()
        self._server.execute(_create(name, template))
        built_ms = (time.perf_counter() - started_s) * 1e3
        return Database(name, self._server.url_of(name), template, built_ms=built_ms)

    def renew(self, database: Database) -> None:
        """Make the database anew under its name; what is still connected to it is disconnected."""
        self._server.execute(drop(database.name), _create(database.name, database.template))
        database.generation += 1
        database.spoilt = False

    def drop_all(self) -> None:
        """Drop what this process has made."""
        owned = [drop(database.name) for database in self._databases.values() if database.owned]
        self._databases.clear()
        if owned:
            self._server.execute(*owned)

    def _provide(self, template: str) -> Database:
        if self._server.given is not None and not template:
            url = self._server.given.url
            return Database(url.rpartition("/")[2].partition("?")[0], url, owned=False)
        if self._count == 0:
            return self._first(template)
        return self.create(template)

    def _first(self, template: str) -> Database:
        """As `create`, and drop what dead processes have left, on the one connection."""
        name = self._next_name()
        started_s = time.perf_counter()

        async def sweep_and_create(connection: Any) -> None:
            found = [row["datname"] for row in await connection.fetch(_LIST)]
            for old in [name for name in found if is_orphan(name)][:_SWEPT_AT_ONCE]:
                await connection.execute(drop(old))
            await connection.execute(_create(name, template))

        self._server.administer(sweep_and_create)
        built_ms = (time.perf_counter() - started_s) * 1e3
        return Database(name, self._server.url_of(name), template, built_ms=built_ms)

    def _next_name(self) -> str:
        self._count += 1
        worker = re.sub(r"\W", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or "main"
        return f"tdd_{worker}_{os.getpid()}_{int(time.time())}_{self._count}"


def is_orphan(name: str) -> bool:
    """Tell whether the process that has made this database is gone."""
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    import psutil

    pid, made_s = int(match[1]), int(match[2])
    try:
        # A process that began later has only inherited the number.
        return bool(psutil.Process(pid).create_time() > made_s + 2)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def drop(name: str) -> str:
    """The statement that drops a database, connected users or not."""
    return f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'


def _create(name: str, template: str) -> str:
    return f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"'
