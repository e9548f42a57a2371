"""What outlives a transaction: settings of roles, other connections, databases and roles of the server."""

import asyncio
import os
from pathlib import Path

import asyncpg
import pytest
from support.caches import copy_data

from tdd_monitor.testing import IsolationWarning, get_database_manager, tdd_database, tdd_test_context
from tdd_monitor.testing.contexts import manager
from tdd_monitor.testing.postgres import stop_server

from .conftest import Look, Run

SETTINGS = """
import asyncpg, pytest
from tdd_monitor.testing import IsolationWarning, get_database_manager, tdd_database, tdd_test_context

SET_FOR_ALL = "SELECT count(*) FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase" \\
    " WHERE setdatabase = 0 OR datname IN ('postgres', 'template1')"

async def in_a_context(statement):
    with pytest.warns(IsolationWarning, match="role settings are reset"):
        async with tdd_test_context("the test") as context:
            await context.connection.execute(f"COMMIT; {statement}")

async def in_a_database_of_its_own(statement):
    async with tdd_database("the test") as database:
        await database.connection.execute(statement)

@pytest.mark.asyncio
@pytest.mark.parametrize("place", [in_a_context, in_a_database_of_its_own])
@pytest.mark.parametrize("statement", [
    "ALTER ROLE postgres SET work_mem = '9MB'",
    "ALTER ROLE ALL SET work_mem = '9MB'",
    "ALTER DATABASE postgres SET work_mem = '9MB'",
    "ALTER ROLE postgres IN DATABASE template1 SET work_mem = '9MB'",
    "ALTER ROLE postgres SET default_transaction_read_only = on",
])
async def test_reset(place, statement):
    await place(statement)
    look = await asyncpg.connect(get_database_manager().database().url)
    assert await look.fetchval(SET_FOR_ALL) == 0
    assert await look.fetchval("SHOW work_mem") == "4MB"
    await look.execute("CREATE TABLE t (); DROP TABLE t")
    await look.close()

def test_settings_left_by_a_killed_run(tmp_path):
    import os
    from tdd_monitor.testing.databases.server import DatabaseServer
    server = DatabaseServer(None)
    server.execute("ALTER ROLE postgres SET default_transaction_read_only = on")
    server.close()
"""
NEXT_RUN = """
import pytest
@pytest.mark.asyncio
async def test_it(tdd_test_context):
    assert await tdd_test_context.connection.fetchval("SHOW default_transaction_read_only") == "off"
    assert await tdd_test_context.connection.fetchval("SHOW work_mem") == "4MB"
    await tdd_test_context.connection.execute("CREATE TABLE t ()")
"""


def test_settings_of_roles_and_databases_are_reset(run_pytest: Run, machine: Path, data_stock: Path) -> None:
    copy_data(data_stock, machine)  # a server of its own: these settings would apply to other tests too
    result = run_pytest(test_it=SETTINGS)
    assert "11 passed" in result.stdout, result.stdout
    stop_server()
    (data,) = machine.glob("postgres-??")
    (data / "postgresql.auto.conf").write_text("work_mem = '9MB'\n")  # by ALTER SYSTEM, before it was refused
    result = run_pytest(test_it=NEXT_RUN)
    assert "1 passed" in result.stdout, result.stdout


async def test_alter_system_is_rejected() -> None:
    async with tdd_database() as database:
        if database.connection.get_server_version().major < 17:
            pytest.skip("PostgreSQL 16 cannot refuse it")
        with pytest.raises(asyncpg.PostgresError, match="ALTER SYSTEM is not allowed"):
            await database.connection.execute("ALTER SYSTEM SET work_mem = '9MB'")


async def test_a_commit_through_another_connection_is_noticed_and_cleaned_up(look: Look) -> None:
    with pytest.warns(IsolationWarning, match="^the test requested the URL of tdd_"):
        async with tdd_test_context("the test") as context:
            other = await asyncpg.connect(context.database_url)
            await other.execute("CREATE TABLE lasting (i int)")
            await other.close()
    assert await look("SELECT to_regclass('lasting')") is None


async def test_another_connection_that_is_still_open_is_noticed(look: Look) -> None:
    with pytest.warns(IsolationWarning, match="^the test requested the URL of tdd_"):
        async with tdd_test_context("the test") as context:
            other = await asyncpg.connect(context.database_url)
            await other.execute("CREATE TABLE lasting (i int)")
    assert await look("SELECT to_regclass('lasting')") is None
    other.terminate()


async def test_requesting_only_the_url_causes_no_warning() -> None:
    backends = set()
    for _ in range(2):
        async with tdd_test_context("the test") as context:
            assert context.database_url.startswith("postgresql://")
            backends.add(context.connection.get_server_pid())

            async def beside() -> None:
                async with tdd_test_context("beside") as other:
                    await other.connection.execute("SELECT 1")

            await asyncio.gather(beside(), beside())
    assert len(backends) == 1


def test_a_plain_test_with_another_connection_is_warned() -> None:
    psycopg = pytest.importorskip("psycopg")
    from tdd_monitor.testing import tdd_sync_context

    told = pytest.warns(IsolationWarning, match="^the test requested the URL of tdd_")
    with told, tdd_sync_context("the test") as context, psycopg.connect(context.database_url) as other:
        other.execute("CREATE TABLE lasting (i int)")
    with tdd_sync_context() as context:
        assert context.connection.execute("SELECT to_regclass('lasting')").fetchone() == (None,)


async def test_a_stuck_query_that_has_locked_the_catalog_is_terminated() -> None:
    with pytest.warns(IsolationWarning, match="^the test ended while one of its queries"):
        async with tdd_test_context("the test") as context:
            await context.connection.execute("LOCK TABLE pg_class IN ACCESS EXCLUSIVE MODE")
            query = asyncio.create_task(context.connection.execute("SELECT pg_sleep(600)"))
            await asyncio.sleep(0)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await query
    async with tdd_test_context() as context:
        assert await context.connection.fetchval("SELECT 1") == 1


async def test_a_connection_error_names_the_locked_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "_LOCKED_OUT_S", 0.2)

    async def open_at_once(count: int) -> None:
        async with tdd_test_context("beside"):
            if count:
                await asyncio.create_task(open_at_once(count - 1))

    async with tdd_test_context("the test") as context:
        await context.connection.execute("LOCK TABLE pg_class IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TimeoutError, match=r"has locked pg_class.*LOCK TABLE pg_class"):
            await asyncio.create_task(open_at_once(10))  # more than are idle


async def test_a_backend_that_cannot_be_ended_hides_nothing(
    monkeypatch: pytest.MonkeyPatch, look: Look
) -> None:
    def fail(_: int) -> None:
        raise asyncpg.InterfaceError("no connection")

    monkeypatch.setattr(get_database_manager(), "end_backend", fail)
    with pytest.warns(IsolationWarning, match="^the test ended while one of its queries"):
        async with tdd_test_context("the test") as context:
            await context.connection.execute("CREATE TABLE lasting (i int); COMMIT")
            query = asyncio.create_task(context.connection.execute("SELECT pg_sleep(600)"))
            await asyncio.sleep(0)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await query
    assert await look("SELECT to_regclass('lasting')") is None


STAYS = """
import pytest
@pytest.mark.asyncio
async def test_it(tdd_database):
    await tdd_database.connection.execute("CREATE DATABASE NAME")
    await tdd_database.connection.execute("CREATE ROLE NAME")
"""


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist", "-n", "1")])
async def test_objects_left_on_the_server_are_reported_at_the_end(
    run_pytest: Run, arguments: tuple[str, ...], look: Look
) -> None:
    name = f"left_by_{os.getpid()}_{len(arguments)}"
    try:
        result = run_pytest(*arguments, test_it=STAYS.replace("NAME", name))
    finally:
        await look(f"DROP DATABASE IF EXISTS {name}")
        await look(f"DROP ROLE IF EXISTS {name}")
    assert "1 passed" in result.stdout, result.stdout
    told = result.stdout.partition("new on the embedded server since this run began:")[2]
    assert f"database {name}" in told
    assert f"role {name}" in told
