"""Libraries that have changed their private names: tests pass as ever, and one message says what is lost."""

import pytest
from support.hidden import hide

from plugin.conftest import Suite
from plugin.harness import Run, run_pytest
from tdd_monitor.protocol.events import RunFinish, WarningRaised

DRIVERS = """
    import asyncio
    import os

    URL = os.environ["TEST_DATABASE"]

    def test_asyncpg():
        import asyncpg

        async def go():
            async with asyncpg.create_pool(URL, min_size=1, max_size=2) as pool:
                async with pool.acquire() as connection, connection.transaction():
                    assert await connection.fetchval("SELECT 1") == 1
                    statement = await connection.prepare("SELECT $1::int")
                    assert await statement.fetchval(2) == 2
                    assert [row[0] async for row in connection.cursor("SELECT 3")] == [3]
            connection = await asyncpg.connect(URL)
            assert await connection.fetchval("SELECT 4") == 4
            await connection.close()
        asyncio.run(go())

    def test_psycopg():
        import psycopg, psycopg_pool

        with psycopg_pool.ConnectionPool(URL, min_size=1, max_size=1, open=True) as pool:
            with pool.connection() as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        with psycopg.connect(URL) as connection:
            assert connection.execute("SELECT 2").fetchone() == (2,)

    def test_sqlalchemy():
        import sqlalchemy

        engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.QueuePool)
        with engine.connect() as connection:
            assert connection.scalar(sqlalchemy.text("SELECT 1")) == 1
        engine.dispose()
"""
CHANGES = {
    "asyncpg pool": ("asyncpg", ["asyncpg.pool:Pool._acquire"], "pools are not measured"),
    "asyncpg proxy": ("asyncpg", ["asyncpg.connection:Connection._proxy"], "pools are not measured"),
    "asyncpg servers": ("asyncpg", ["asyncpg.connection:Connection._addr"], "servers are not counted"),
    "asyncpg cursors": ("asyncpg", ["asyncpg.cursor:BaseCursor._bind_exec"], "queries are not counted"),
    "asyncpg prepared": (
        "asyncpg",
        ["asyncpg.prepared_stmt:PreparedStatement._query", "asyncpg.pool:PoolConnectionProxy._holder"],
        "pools are not measured; queries are not counted",
    ),
    "psycopg": ("psycopg", ["psycopg:Cursor._conn"], "queries are not counted"),
    "psycopg_pool": ("psycopg_pool", ["psycopg_pool:ConnectionPool._nconns"], "waits"),
    "psycopg_pool's connections": ("psycopg_pool", ["psycopg:Connection._pool"], "not counted by pool"),
    "sqlalchemy": (
        "sqlalchemy",
        ["sqlalchemy.pool.base:_ConnectionFairy._pool"],
        "connections in use are not counted",
    ),
    "sqlalchemy's size": ("sqlalchemy", ["sqlalchemy.pool:QueuePool._max_overflow"], "large"),
}


def notices(run: Run) -> list[str]:
    """What the plugin itself says."""
    return [event.message for event in run.events(WarningRaised)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_driver(change: str, suite: Suite, database: str, newest: str) -> None:
    library, hidden, lost = CHANGES[change]
    directory = suite(test_drivers=DRIVERS)
    env = {"TEST_DATABASE": database, **hide(directory, *hidden)}
    run = run_pytest(directory, "-p", "no:randomly", python=newest, env=env)
    assert run.events(RunFinish) and run.finish.counts == {"passed": 3}, run.output
    (notice,) = notices(run)
    assert notice.startswith(library + " ") and notice.split(":")[0].split(" ")[1][0].isdigit(), notice
    assert lost in notice
    for path in hidden:
        assert path.rpartition(":")[2] in notice
    queries = {"asyncpg": 4, "psycopg": 2, "sqlalchemy": 1}
    for engine, count in queries.items():
        record = run.test(f"::test_{engine}")
        if engine == library and "queries are not counted" in lost and "by pool" not in lost:
            assert engine in record.unwatched
        else:
            assert sum(use.queries for use in record.db) == count, (
                engine,
                record.db,
            )


PYTEST = """
    import pytest

    @pytest.fixture(scope="module")
    def shared(): return 1

    def test_first(shared): assert shared == 1
    def test_again(shared): assert shared == 1
    def test_without(): pass
"""
PYTEST_CHANGES = {
    "fixtures": ("_pytest.fixtures:FixtureRequest._fixture_defs", "shared fixtures"),
    "terminal": ("_pytest.terminal:TerminalReporter._tw", "prints"),
    "writer": ("_pytest._io.terminalwriter:TerminalWriter._file", "prints"),
}


@pytest.mark.parametrize("change", PYTEST_CHANGES)
def test_pytest(change: str, suite: Suite) -> None:
    hidden, lost = PYTEST_CHANGES[change]
    directory = suite(test_it=PYTEST)
    run = run_pytest(directory, env=hide(directory, hidden))
    assert run.events(RunFinish) and run.finish.counts == {"passed": 3}, run.output
    assert "3 passed" in run.output
    (notice,) = notices(run)
    assert notice.startswith(f"pytest {pytest.__version__}: ") and lost in notice
    assert [use.name for use in run.test("::test_first").fixtures] == ["shared"]
    assert [use.name for use in run.test("::test_again").fixtures] == ["shared"] * (change != "fixtures")
