"""The databases of this process: made when a test first needs one, made anew when a test has spoilt it.

Each process that runs tests has its own, so workers of pytest-xdist and runs of other projects never meet.
A database of the user (by URL) is used as it is: nothing is created, nothing dropped.
"""

import os
import re
import time
from dataclasses import dataclass
from typing import Any

from .database_server import DatabaseServer

_NAME = re.compile(r"tdd_\w+?_(\d+)_(\d+)_\d+")
_LIST = (
    "SELECT datname FROM pg_database WHERE datname LIKE 'tdd\\_%' AND datname NOT LIKE 'tdd\\_template\\_%'"
)
_SWEPT_AT_ONCE = 10

Settings = tuple[tuple[str, str], ...]


@dataclass(eq=False)
class Database:
    """A database in which tests run. `generation` grows each time that it is made anew."""

    name: str
    url: str
    template: str = ""
    settings: Settings = ()
    owned: bool = True
    generation: int = 0
    spoilt: bool = False


class WorkerDatabases:
    """Makes, renews and drops the databases of this process on one server. All of it blocks."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self._databases: dict[str, Database] = {}
        self._count = 0

    def get(self, template: str = "", settings: Settings = ()) -> Database:
        """Return the database of this process with the contents of `template`; "" means an empty one.

        Empty means as it is, where the user has given a URL.
        """
        database = self._databases.get(template)
        if database is None:
            database = self._databases[template] = self._provide(template, settings)
        return database

    def renew(self, database: Database) -> None:
        """Make the database anew under its name; what is still connected to it is disconnected."""

        async def drop_and_make(connection: Any) -> None:
            await connection.execute(drop(database.name))
            await make(connection, database)

        self._server.administer(drop_and_make)
        database.generation += 1
        database.spoilt = False

    def drop_all(self) -> None:
        """Drop what this process has made."""
        owned = [drop(database.name) for database in self._databases.values() if database.owned]
        self._databases.clear()
        if owned:
            self._server.execute(*owned)

    def describe(self, template: str, settings: Settings) -> Database:
        """Return a database with a name of its own, which the caller makes and drops."""
        name = self.next_name()
        return Database(name, self._server.url_of(name), template, settings)

    def next_name(self) -> str:
        """Return a name that no other database has, and that says whose it is."""
        self._count += 1
        worker = re.sub(r"\W", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or "main"
        return f"tdd_{worker}_{os.getpid()}_{int(time.time())}_{self._count}"

    def _provide(self, template: str, settings: Settings) -> Database:
        if self._server.given is not None and not template:
            url = self._server.given.url
            return Database(url.rpartition("/")[2].partition("?")[0], url, owned=False)
        first = not self._databases
        database = self.describe(template, settings)

        async def sweep_and_make(connection: Any) -> None:
            if first:
                await _drop_orphans(connection)
            await make(connection, database)

        self._server.administer(sweep_and_make)
        return database


async def make(admin: Any, database: Database) -> None:
    """Create the database on the server to which `admin` is connected."""
    await admin.execute(f'CREATE DATABASE "{database.name}" TEMPLATE "{database.template or "template1"}"')
    # Settings belong to the database, not to its contents, so a copy does not have them.
    for name, value in database.settings:
        await admin.execute("SELECT set_config($1, $2, false)", name, value)
        await admin.execute(f'ALTER DATABASE "{database.name}" SET {name} FROM CURRENT; RESET {name}')


def drop(name: str) -> str:
    """The statement that drops a database, connected users or not."""
    return f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'


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


async def _drop_orphans(admin: Any) -> None:
    import asyncpg

    found = [row["datname"] for row in await admin.fetch(_LIST)]
    for name in [name for name in found if is_orphan(name)][:_SWEPT_AT_ONCE]:
        try:
            # Without FORCE: a database that somebody uses is no orphan, whatever the process list says
            # (containers that share a home have process numbers of their own).
            await admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
            await admin.execute(f'DROP DATABASE "{name}"')
        except asyncpg.PostgresError:
            continue
