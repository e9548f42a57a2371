"""Databases of this process: created, recreated, dropped; and leftovers of dead processes."""

import os
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tdd_monitor.testing import IsolationError, tdd_test_context
from tdd_monitor.testing.contexts import manager as manager_module
from tdd_monitor.testing.contexts.manager import DatabaseManager
from tdd_monitor.testing.databases.names import is_orphan, kind, on_named_server, own, spares
from tdd_monitor.testing.databases.owner_session import OwnerSession, held_keys
from tdd_monitor.testing.databases.server import DatabaseServer
from tdd_monitor.testing.databases.spare import SpareDatabases, add_spare
from tdd_monitor.testing.databases.url import DatabaseUrl, with_database
from tdd_monitor.testing.databases.worker import WorkerDatabases, drop, spares_of

from .conftest import Look, Run


@pytest.fixture
def server() -> Iterator[DatabaseServer]:
    server = DatabaseServer(None)
    yield server
    server.close()


def names(server: DatabaseServer) -> set[str]:
    async def read(connection: object) -> set[str]:
        return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}  # type: ignore[attr-defined]

    return server.administer(read)


def test_databases_are_created_once_and_dropped_at_the_end(server: DatabaseServer) -> None:
    databases = WorkerDatabases(server)
    database = databases.get()
    assert databases.get() is database
    assert database.name in names(server)
    databases.drop_all()
    databases.close()
    assert database.name not in names(server)


NO_PROCESS = 4194303


@pytest.fixture
def another(server: DatabaseServer) -> Iterator[Callable[..., str]]:
    """Makes databases of other owners; without a key, of an owner that holds no lock."""
    made = []

    def make(key: int | None = None, pid: int = NO_PROCESS, made_s: int = 1) -> str:
        made.append(own("main", pid, made_s, secrets.randbits(60) if key is None else key, 1))
        server.execute(f"CREATE DATABASE {made[-1]}")
        return made[-1]

    yield make
    server.execute(*(f"DROP DATABASE IF EXISTS {name}" for name in made))


def sweep(server: DatabaseServer) -> None:
    databases = WorkerDatabases(server)
    databases.get()
    databases.drop_all()
    databases.close()


def test_half_dropped_databases_are_dropped(server: DatabaseServer, another: Callable[..., str]) -> None:
    left = another()
    server.execute(f"UPDATE pg_database SET datconnlimit = -2 WHERE datname = '{left}'")  # as it does
    sweep(server)
    assert left not in names(server)


def test_a_database_that_its_owner_is_recreating_is_left_alone(
    server: DatabaseServer, another: Callable[..., str]
) -> None:
    recreated = another(pid=os.getpid(), made_s=int(time.time()))
    server.execute(f"UPDATE pg_database SET datconnlimit = -2 WHERE datname = '{recreated}'")  # meanwhile
    sweep(server)
    assert recreated in names(server)


def test_a_half_dropped_spare_is_not_claimed_but_dropped(server: DatabaseServer) -> None:
    settings = (("application_name", f"half-{os.getpid()}"),)  # a kind of our own
    spare = spares(kind("", settings)) + "1_1"
    server.execute(f'CREATE DATABASE "{spare}"')
    server.execute(f"UPDATE pg_database SET datconnlimit = -2 WHERE datname = '{spare}'")
    databases = WorkerDatabases(server)
    database = databases.get("", settings)
    assert spare not in names(server)
    assert database.name in names(server)
    databases.drop_all()
    databases.close()


def test_a_spare_cannot_be_claimed_before_it_has_its_settings(server: DatabaseServer) -> None:
    settings = (("application_name", f"spare-{os.getpid()}"),)  # a kind of our own
    databases = WorkerDatabases(server)
    like = databases.describe("", settings)
    claimable: list[list[str]] = []

    class Watched:
        def __init__(self, admin: Any) -> None:
            self.fetch, self._execute = admin.fetch, admin.execute

        async def execute(self, statement: str, *args: object) -> None:
            await self._execute(statement, *args)
            if " TO " not in statement:
                claimable.append(await spares_of(self, like.kind))

    server.administer(lambda admin: add_spare(Watched(admin), like))
    (spare,) = server.administer(lambda admin: spares_of(admin, like.kind))
    server.execute(drop(spare))
    assert claimable and not any(claimable)
    databases.close()


def test_databases_of_a_dead_owner_are_dropped(server: DatabaseServer, another: Callable[..., str]) -> None:
    left, reused = another(), another(pid=os.getpid())
    sweep(server)
    assert not names(server) & {left, reused}


def test_an_owner_on_another_host_is_alive_while_its_session_is(
    server: DatabaseServer, another: Callable[..., str]
) -> None:
    owner = OwnerSession(server)
    owner.hold()
    theirs = another(owner.key)  # of a process that does not live here
    sweep(server)
    assert theirs in names(server)
    owner.close()
    sweep(server)
    assert theirs not in names(server)


def test_an_owner_without_a_session_is_alive_while_its_process_is(
    server: DatabaseServer, another: Callable[..., str]
) -> None:
    ours = another(pid=os.getpid(), made_s=int(time.time()))
    sweep(server)
    assert ours in names(server)


def test_the_lock_is_taken_again_after_the_session_was_ended(server: DatabaseServer) -> None:
    owner = OwnerSession(server)
    owner.hold()

    low = owner.key & 0xFFFFFFFF
    server.execute(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND objid = {low}"
    )
    assert owner.key not in server.administer(held_keys)
    assert owner.key in owner.administer(held_keys)
    owner.close()
    assert owner.key not in server.administer(held_keys)


def test_on_the_users_server_only_databases_of_this_run_are_dropped(
    server: DatabaseServer, another: Callable[..., str]
) -> None:
    named = DatabaseServer(DatabaseUrl(server.main_url, "a test"))
    settings = (("application_name", f"named-{uuid.uuid4().hex}"),)  # a kind of our own
    spare = spares(kind("", settings)) + "1_1"
    server.execute(f'CREATE DATABASE "{spare}"')
    owner = OwnerSession(server)
    owner.hold()
    theirs = another(owner.key)
    databases = WorkerDatabases(named)
    mine = databases.add("template1", settings)
    owned = SpareDatabases(named, databases.describe)
    also_mine, _ = owned.acquire("", settings)
    assert {theirs, spare, mine.name, also_mine.name} <= names(server)
    owner.close()  # not earlier: any run drops it from now on
    sweep(server)  # a run on the embedded server, which this one is too: it does not know the others
    assert theirs not in names(server)
    assert {spare, mine.name, also_mine.name} <= names(server)
    owned.release(also_mine)
    owned.close()
    databases.drop_all()
    databases.close()
    assert names(server) & {spare, mine.name, also_mine.name} == {spare}
    server.execute(f'DROP DATABASE "{spare}"')


def test_the_next_run_claims_unused_databases(server: DatabaseServer) -> None:
    settings = (("application_name", f"spares-{os.getpid()}"),)  # a kind of our own
    databases = WorkerDatabases(server)
    spares = SpareDatabases(server, databases.describe)
    used, _ = spares.acquire("", settings)
    spares.release(used)
    spares.close()
    kept = {name for name in names(server) if name.startswith(f"tdd_spare_{used.kind}_")}
    assert len(kept) == 1
    assert used.name not in names(server)
    claimed = databases.get("", settings)
    assert not kept & names(server)

    async def read_setting(connection: Any) -> object:
        return await connection.fetchval("SHOW application_name")

    assert server.administer(read_setting, claimed.name) == settings[0][1]
    databases.drop_all()
    databases.close()


@pytest.mark.parametrize(
    "name",
    [
        *("tdd_template_0123456789abcdef", "tdd_spare_0123456789ab_4194303_1_1", "postgres"),
        "tdd_main_4194303_1_1",  # of an older version, which had no lock
        on_named_server("main", 1, 1),
    ],
)
def test_a_database_without_an_owner_is_never_an_orphan(name: str) -> None:
    assert is_orphan(own("main", NO_PROCESS, 1, 1, 1), set())
    assert not is_orphan(name, set())


def test_a_run_leaves_no_database_behind(server: DatabaseServer, run_pytest: Run) -> None:
    module = """
import pytest
@pytest.mark.asyncio
async def test_name(tdd_test_context):
    assert tdd_test_context.timings.database_made_ms == 0  # no test is slow because it is the first
    print("name=" + await tdd_test_context.connection.fetchval("SELECT current_database()"))
"""
    output = run_pytest("-s", test_it=module).stdout
    name = output.partition("name=")[2].split()[0].rstrip(".")
    assert name.startswith("tdd_main_")
    assert name not in names(server)


@pytest.fixture
def on_the_users_database(
    server: DatabaseServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """A manager that was told a URL."""
    name = f"of_the_user_{uuid.uuid4().hex[:12]}"  # of this run: others may use the server now
    server.execute(f"CREATE DATABASE {name}")
    monkeypatch.setenv("TDD_MONITOR_DATABASE_URL", server.url_of(name))
    manager = DatabaseManager()
    monkeypatch.setattr(manager_module, "_manager", manager)
    yield server.url_of(name)
    manager.close_now()
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_the_users_database_is_used_as_it_is(on_the_users_database: str) -> None:
    async with tdd_test_context() as context:
        assert context.database_url == on_the_users_database
        name = await context.connection.fetchval("SELECT current_database()")
        assert on_the_users_database == with_database(on_the_users_database, name)
    for _ in range(4):
        async with tdd_test_context() as context:
            ours = "SELECT count(*) FROM pg_proc WHERE oid >= 16384"
            assert await context.connection.fetchval(ours) == 0  # not even for this connection


async def test_a_commit_into_the_users_database_is_an_error(on_the_users_database: str, look: Look) -> None:
    with pytest.raises(IsolationError, match="remain in the database of TDD_MONITOR_DATABASE_URL"):
        async with tdd_test_context() as context:
            await context.connection.execute("CREATE TABLE lasting (i int); COMMIT")
    assert await look("SELECT to_regclass('lasting')::text") == "lasting"
