"""Databases of this process: made, made anew, dropped; and what dead processes left."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tdd_monitor.testing import IsolationError, database_manager, tdd_test_context
from tdd_monitor.testing.database_manager import DatabaseManager
from tdd_monitor.testing.database_names import is_orphan
from tdd_monitor.testing.database_server import DatabaseServer
from tdd_monitor.testing.spare_databases import SpareDatabases
from tdd_monitor.testing.worker_databases import WorkerDatabases

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


def test_databases_are_made_once_and_dropped_in_the_end(server: DatabaseServer) -> None:
    databases = WorkerDatabases(server)
    database = databases.get()
    assert databases.get() is database
    assert database.name in names(server)
    databases.drop_all()
    assert database.name not in names(server)


def test_what_a_dead_process_has_left_is_dropped(server: DatabaseServer) -> None:
    left, alive = "tdd_main_4194303_1_1", f"tdd_main_{os.getpid()}_{int(time.time())}_99"
    server.execute(f"CREATE DATABASE {left}", f"CREATE DATABASE {alive}")
    databases = WorkerDatabases(server)
    databases.get()
    assert names(server) & {left, alive} == {alive}
    databases.drop_all()
    server.execute(f"DROP DATABASE {alive}")


def test_what_one_run_did_not_need_the_next_claims(server: DatabaseServer) -> None:
    settings = (("application_name", f"spares-{os.getpid()}"),)  # a kind of our own
    databases = WorkerDatabases(server)
    spares = SpareDatabases(server, databases.describe)
    used, _ = spares.take("", settings)
    spares.give_back(used)
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


def test_a_reused_process_number_is_not_taken_for_the_owner() -> None:
    assert is_orphan(f"tdd_main_{os.getpid()}_1_1")
    assert not is_orphan("tdd_template_0123456789abcdef")
    assert not is_orphan("tdd_spare_0123456789ab_4194303_1_1")
    assert not is_orphan("postgres")


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
    server.execute("CREATE DATABASE of_the_user")
    monkeypatch.setenv("TDD_MONITOR_DATABASE_URL", server.url_of("of_the_user"))
    manager = DatabaseManager()
    monkeypatch.setattr(database_manager, "_manager", manager)
    yield server.url_of("of_the_user")
    manager.close_now()
    server.execute("DROP DATABASE of_the_user WITH (FORCE)")


async def test_the_users_database_is_used_as_it_is(on_the_users_database: str) -> None:
    async with tdd_test_context() as context:
        assert context.database_url == on_the_users_database
        assert await context.connection.fetchval("SELECT current_database()") == "of_the_user"
    for _ in range(4):
        async with tdd_test_context() as context:
            ours = "SELECT count(*) FROM pg_proc WHERE oid >= 16384"
            assert await context.connection.fetchval(ours) == 0  # not even for this connection


async def test_a_commit_into_the_users_database_is_an_error(on_the_users_database: str, look: Look) -> None:
    with pytest.raises(IsolationError, match="stays in the database of TDD_MONITOR_DATABASE_URL"):
        async with tdd_test_context() as context:
            await context.connection.execute("CREATE TABLE lasting (i int); COMMIT")
    assert await look("SELECT to_regclass('lasting')::text") == "lasting"
