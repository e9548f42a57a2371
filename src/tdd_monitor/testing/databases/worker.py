"""The databases of this process: one for each schema that its tests want, made anew when a test spoils it.

Each process that runs tests has its own, so workers of pytest-xdist and runs of other projects never meet.
A database of the user (by URL) is used as it is: nothing is created, nothing dropped.
"""

import os
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from . import names
from .left_overs import LeftOvers, reset_settings
from .owner_session import OwnerSession, held_keys
from .server import DatabaseServer

_SWEPT_AT_ONCE = 10
_LIST = "SELECT datname, datistemplate FROM pg_database WHERE starts_with(datname, 'tdd_')"

Result = TypeVar("Result")
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
    spoilt_by: str = ""  # the test that may have left something here
    opened: int = 0  # how many connections the toolkit has opened to it
    sessions_before: int | None = None  # of others, when a test asked for the URL

    @property
    def kind(self) -> str:
        """The same for databases with the same contents."""
        return names.kind(self.template, self.settings)


class WorkerDatabases:
    """Makes, renews and drops the databases of this process on one server. All of it blocks."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self._owner = OwnerSession(server)
        self._left_overs = LeftOvers()
        self._first: dict[str, Database] = {}
        self._all: list[Database] = []
        self._count = 0

    def get(self, template: str = "", settings: Settings = ()) -> Database:
        """Return the database of this process with the contents of `template`; "" means an empty one.

        Empty means as it is, where the user has given a URL.
        """
        kind = names.kind(template, settings)
        database = self._first.get(kind)
        if database is None:
            database = self._first[kind] = self.add(template, settings)
        return database

    def add(self, template: str = "", settings: Settings = ()) -> Database:
        """As `get`, but always another one."""
        database = self._provide(template, settings)
        self._all.append(database)
        return database

    def renew(self, database: Database) -> None:
        """Make the database anew under its name; what is still connected to it is disconnected."""

        async def drop_and_make(admin: Any) -> None:
            await admin.execute(drop(database.name))
            if self._server.given is None:
                await reset_settings(admin)
            await claim_or_make(self._server, admin, database)

        self._owner.administer(drop_and_make)
        database.generation += 1
        database.spoilt_by = ""

    def drop_all(self) -> None:
        """Drop what this process has made."""
        owned = [drop(database.name) for database in self._all if database.owned]
        self._first.clear()
        self._all.clear()

        async def drop_them(admin: Any) -> None:
            for statement in owned:
                await admin.execute(statement)
            if self._server.given is None:
                await reset_settings(admin)

        if owned:
            self._owner.administer(drop_them)

    def administer(self, work: Callable[[Any], Coroutine[Any, Any, Result]]) -> Result:
        """Let `work` use the session of this process, in another database than those of tests."""
        return self._owner.administer(work)

    def settle(self) -> None:
        """Reset what a test has set for all projects of the embedded server."""
        if self._server.given is None:
            self._owner.administer(reset_settings)

    def left_on_server(self) -> list[str]:
        """Return what is new on the embedded server since this process began, such as `role bob`."""
        return self._owner.administer(self._left_overs.new) if self._left_overs.begun else []

    def revive(self) -> None:
        """Own the databases again on a server that has crashed and was started anew."""
        self._owner.hold()

    def close(self) -> None:
        """Let go of what is left; call it last."""
        self._owner.close()

    def describe(self, template: str, settings: Settings) -> Database:
        """Return a database with a name of its own, which the caller makes and drops."""
        name = self.next_name()
        return Database(name, self._server.url_of(name), template, settings)

    def next_name(self) -> str:
        """Return a name that no other database has, and that says whose it is."""
        self._count += 1
        worker = re.sub(r"\W", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or "main"
        if self._server.given is not None:
            return names.on_named_server(worker, self._owner.key, self._count)
        if self._left_overs.begun:
            self._owner.hold()
        else:
            self._owner.administer(self._left_overs.begin)
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

    Renaming takes a hundredth of the time of creating, and only one process can rename a database. On a
    server of the user there are no spares of ours, whatever a name says.
    """
    import asyncpg

    for name in await spares_of(admin, database.kind) if server.given is None else ():
        try:
            await admin.execute(f'ALTER DATABASE "{name}" RENAME TO "{database.name}"')
        except asyncpg.PostgresError:
            continue  # somebody else was faster
        return True
    await make(admin, database.name, database.template, database.settings)
    return False


async def make(admin: Any, name: str, template: str, settings: Settings) -> None:
    """Create a database on the server to which `admin` is connected."""
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
    # Settings belong to the database, not to its contents, so a copy does not have them.
    for setting, value in settings:
        await admin.execute("SELECT set_config($1, $2, false)", setting, value)
        await admin.execute(f'ALTER DATABASE "{name}" SET {setting} FROM CURRENT; RESET {setting}')


async def spares_of(admin: Any, kind: str) -> list[str]:
    """The names of the spare databases of a kind ("" for all), oldest first."""
    # -2: half dropped, by a process that was killed.
    query = (
        "SELECT datname FROM pg_database WHERE starts_with(datname, $1) AND datconnlimit <> -2 ORDER BY oid"
    )
    return [row["datname"] for row in await admin.fetch(query, names.spares(kind))]


def drop(name: str) -> str:
    """The statement that drops a database, connected users or not."""
    return f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'


async def _drop_orphans(admin: Any) -> None:
    import asyncpg

    # In this order: an owner has its lock before its first database.
    found = {row["datname"]: row["datistemplate"] for row in await admin.fetch(_LIST)}
    held = await held_keys(admin)
    for name in [name for name in found if names.is_orphan(name, held)][:_SWEPT_AT_ONCE]:
        try:
            if found[name]:  # no other: a DROP that was interrupted leaves what ends a session that alters it
                await admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
            # Without FORCE: a database that somebody uses is no orphan, whatever else says so.
            await admin.execute(f'DROP DATABASE "{name}"')
        except asyncpg.PostgresError:
            continue
