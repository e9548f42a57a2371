"""The databases of this process: one per schema, recreated after a test has modified it.

Each process that runs tests has its own, so pytest-xdist workers and runs of other projects never clash.
A database of the user (by URL) is used as is: nothing is created or dropped.
"""

import os
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from . import names
from .leftovers import Leftovers, reset_settings
from .owner_session import OwnerSession, held_keys
from .server import DatabaseServer

_SWEPT_AT_ONCE = 10
# -2: a process was killed while it dropped the database, which nobody can use since.
_HALF_DROPPED = "datconnlimit = -2"
_LIST = (
    f"SELECT datname, datistemplate, {_HALF_DROPPED} AS half_dropped"
    " FROM pg_database WHERE starts_with(datname, 'tdd_')"
)
_SPARES = (
    f"SELECT datname FROM pg_database WHERE starts_with(datname, $1) AND NOT {_HALF_DROPPED} ORDER BY oid"
)

Result = TypeVar("Result")
Settings = tuple[tuple[str, str], ...]


@dataclass(eq=False)
class Database:
    """A database in which tests run. `generation` increases each time it is recreated."""

    name: str
    url: str
    template: str = ""
    settings: Settings = ()
    owned: bool = True
    generation: int = 0
    modified_by: str = ""  # the test that may have left something behind
    opened: int = 0  # number of connections that the toolkit has opened to it
    sessions_before: int | None = None  # foreign sessions at the time a test requested the URL

    @property
    def kind(self) -> str:
        """Equal for databases with the same contents."""
        return names.kind(self.template, self.settings)


class WorkerDatabases:
    """Creates, recreates and drops the databases of this process on one server. All methods block."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self._owner = OwnerSession(server)
        self._leftovers = Leftovers()
        self._first: dict[str, Database] = {}
        self._all: list[Database] = []
        self._count = 0

    def get(self, template: str = "", settings: Settings = ()) -> Database:
        """Return this process's database with the contents of `template`; "" means an empty one.

        With a URL from the user, "" means that database as is.
        """
        kind = names.kind(template, settings)
        database = self._first.get(kind)
        if database is None:
            database = self._first[kind] = self.add(template, settings)
        return database

    def add(self, template: str = "", settings: Settings = ()) -> Database:
        """Like `get`, but always a new one."""
        database = self._provide(template, settings)
        self._all.append(database)
        return database

    def recreate(self, database: Database) -> None:
        """Recreate the database under its name, and disconnect all clients."""

        async def drop_and_create(admin: Any) -> None:
            await admin.execute(drop(database.name))
            if self._server.given is None:
                await reset_settings(admin)
            await claim_or_make(self._server, admin, database)

        self._owner.administer(drop_and_create)
        database.generation += 1
        database.modified_by = ""

    def drop_all(self) -> None:
        """Drop the databases that this process has created."""
        owned = [drop(database.name) for database in self._all if database.owned]
        self._first.clear()
        self._all.clear()

        async def drop_owned(admin: Any) -> None:
            for statement in owned:
                await admin.execute(statement)
            if self._server.given is None:
                await reset_settings(admin)

        if owned:
            self._owner.administer(drop_owned)

    def administer(self, work: Callable[[Any], Coroutine[Any, Any, Result]]) -> Result:
        """Run `work` on this process's session, which is not in a test database."""
        return self._owner.administer(work)

    def settle(self) -> None:
        """Reset settings that a test has left for all projects on the embedded server."""
        if self._server.given is None:
            self._owner.administer(reset_settings)

    def left_on_server(self) -> list[str]:
        """Return what is new on the embedded server since this process started, such as `role bob`."""
        return self._owner.administer(self._leftovers.new) if self._leftovers.begun else []

    def revive(self) -> None:
        """Acquire ownership of the databases again after a server crash and restart."""
        self._owner.hold()

    def close(self) -> None:
        """Close the owner session; call it last."""
        self._owner.close()

    def describe(self, template: str, settings: Settings) -> Database:
        """Return a database with a unique name, for the caller to create and drop."""
        name = self.next_name()
        return Database(name, self._server.url_of(name), template, settings)

    def next_name(self) -> str:
        """Return a unique database name that identifies its owner."""
        self._count += 1
        worker = re.sub(r"\W", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or "main"
        if self._server.given is not None:
            return names.on_named_server(worker, self._owner.key, self._count)
        if self._leftovers.begun:
            self._owner.hold()
        else:
            self._owner.administer(self._leftovers.begin)
        return names.own(worker, os.getpid(), int(time.time()), self._owner.key, self._count)

    def _provide(self, template: str, settings: Settings) -> Database:
        if self._server.given is not None and not template:
            url = self._server.given.url
            return Database(url.rpartition("/")[2].partition("?")[0], url, owned=False)
        first = not self._all
        database = self.describe(template, settings)

        async def sweep_and_make(admin: Any) -> None:
            if first and self._server.given is None:
                await _drop_orphans(admin)
            await claim_or_make(self._server, admin, database)

        self._owner.administer(sweep_and_make)
        return database


async def claim_or_make(server: DatabaseServer, admin: Any, database: Database) -> bool:
    """Take a spare of that kind, or create the database; return whether there was a spare.

    Renaming takes a hundredth of the time of creating, and only one process can rename a database. On the
    user's server none of the databases are our spares, whatever their names.
    """
    import asyncpg

    for name in await spares_of(admin, database.kind) if server.given is None else ():
        try:
            await admin.execute(f'ALTER DATABASE "{name}" RENAME TO "{database.name}"')
        except asyncpg.PostgresError:
            continue  # another process was faster
        return True
    await make(admin, database.name, database.template, database.settings)
    return False


async def make(admin: Any, name: str, template: str, settings: Settings) -> None:
    """Create a database on the server that `admin` is connected to."""
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
    # Settings belong to the database, not to its contents, so a copy lacks them.
    for setting, value in settings:
        await admin.execute("SELECT set_config($1, $2, false)", setting, value)
        await admin.execute(f'ALTER DATABASE "{name}" SET {setting} FROM CURRENT; RESET {setting}')


async def spares_of(admin: Any, kind: str) -> list[str]:
    """Return the names of the spare databases of a kind ("" for all), oldest first."""
    return [row["datname"] for row in await admin.fetch(_SPARES, names.spares(kind))]


def drop(name: str) -> str:
    """Return the statement that drops a database, even with connected users."""
    return f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'


async def _drop_orphans(admin: Any) -> None:
    import asyncpg

    # In this order: an owner acquires its lock before it creates its first database.
    found = await admin.fetch(_LIST)
    held = await held_keys(admin)
    # Any other half-dropped database may be one that its owner is recreating under the same name.
    orphans = [
        row
        for row in found
        if names.is_orphan(row["datname"], held)
        or (row["half_dropped"] and row["datname"].startswith(names.spares("")))
    ]
    for name, is_template, half_dropped in orphans[:_SWEPT_AT_ONCE]:
        try:
            if is_template and not half_dropped:  # altering a half-dropped database ends the session
                await admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
            # Without FORCE: a database in use is not an orphan.
            await admin.execute(f'DROP DATABASE "{name}"')
        except asyncpg.PostgresError:
            continue
