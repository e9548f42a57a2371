"""Libraries that have changed their private names: tests pass as ever, one line says what is lost."""

from pathlib import Path

import pytest
from support.hidden import change

from .conftest import Run

SUITE = """
import asyncio, asyncpg, pytest

@pytest.fixture(scope="session")
def tdd_schema(): return "CREATE TABLE kept (i int)"

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(3))
async def test_context(tdd_test_context, n):
    connection = tdd_test_context.connection
    assert await connection.fetchval("SELECT count(*) FROM kept") == 0
    async with connection.transaction():
        await connection.execute("INSERT INTO kept VALUES (1)")
    await connection.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=str)
    heard = []
    await connection.add_listener("here", lambda *_: heard.append(1))
    await connection.execute("NOTIFY here")
    statement = await connection.prepare("SELECT $1::int")
    assert await statement.fetchval(7) == 7

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(2))
async def test_nested(tdd_test_context, n):
    from tdd_monitor.testing import tdd_test_context as another
    async with another() as inner:
        await inner.connection.execute("INSERT INTO kept VALUES (2)")
    assert await tdd_test_context.connection.fetchval("SELECT count(*) FROM kept") == 0

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(2))
async def test_pool(optimized_connection_pool, n):
    async with optimized_connection_pool.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1

@pytest.mark.asyncio(loop_scope="session")
async def test_on_another_loop(tdd_test_context):
    assert await tdd_test_context.connection.fetchval("SELECT count(*) FROM kept") == 0

@pytest.mark.parametrize("n", range(2))
def test_plain(tdd_sync_context, n):
    connection = tdd_sync_context.connection
    assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    connection.commit()
    with connection.transaction():
        connection.execute("INSERT INTO kept VALUES (1)")
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)
"""
CONNECTION = "asyncpg.connection:Connection."
PSYCOPG = " ".join(
    f"psycopg.{name}"
    for name in ("_connection_base", "_cursor_base", "_server_cursor_base", "connection", "connection_async")
)
EVERYTHING = (
    *[CONNECTION + name for name in ("_protocol", "_top_xact", "_pool_release_ctr", "_query_loggers")],
    *("asyncpg.connect_utils:_cancel", "asyncpg.connection:_ConnectionProxy"),
    "asyncpg.pool:PoolConnectionProxy._con",
    "asyncio.selector_events:BaseSelectorEventLoop._transports",
    "_pytest.python:Function._fixtureinfo",
)


def hidden(*paths: str) -> str:
    return "\n".join(f"hide({path!r})" for path in paths)


def renamed(modules: str, *names: str, ends: bool = False) -> str:
    arguments = ", ".join(f"{name}={name + '_of_today'!r}" for name in names)
    return f"rename({modules!r}, {arguments}, ends={ends})"


# The change, and for each library what must be said of it.
CHANGES: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "everything": (
        renamed(PSYCOPG, "_start_query", "_check_connection_ok") + "\n" + hidden(*EVERYTHING),
        {
            "asyncpg": (
                "round trips",
                "after their test",
                "left running",
                "is not an asyncpg.Connection",
                "_cancel",
            ),
            "asyncio": ("each test opens a connection", "_transports"),
            "psycopg": ("earlier reads", "after its test", "_start_query", "_check_connection_ok"),
            "pytest": ("the first test waits", "Function._fixtureinfo"),
        },
    ),
    "the transaction": (
        hidden(CONNECTION + "_top_xact"),
        {"asyncpg": ("round trips", "Connection._top_xact")},
    ),
    "sockets, marks": (
        renamed("pytest_asyncio.plugin", "_force_asyncio_fixture", "_loop_scope")
        + "\n"
        + hidden(CONNECTION + "_transport"),
        {"asyncpg": ("each test opens a connection", "Connection._transport")},
    ),
    "factory": (
        renamed("pytest_asyncio.plugin", "_asyncio_loop_factory", "event_loop_policy"),
        {"pytest_asyncio": ("each test opens a connection", "_asyncio_loop_factory")},
    ),
    "runner": (
        renamed("pytest_asyncio.plugin", "_scoped_runner", ends=True),
        {"pytest_asyncio": ("each test opens a connection", "_function_scoped_runner")},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change(name: str, run_pytest: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statements, expected = CHANGES[name]
    for variable, value in change(tmp_path, statements).items():
        monkeypatch.setenv(variable, value)
    process = run_pytest("-p", "no:anyio", test_it=SUITE)
    assert process.returncode == 0 and " 10 passed" in process.stdout, process.stdout + process.stderr
    lines = [line for line in process.stdout.splitlines() if "because this version has no" in line]
    said = {line.split()[1]: line for line in lines}
    assert len(lines) == len(said) and said.keys() == expected.keys(), lines
    for library, parts in expected.items():
        assert all(part in said[library] for part in parts), said[library]
        assert said[library].split(":")[1][-1].isdigit(), said[library]  # its version
