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
# Of each change, and for each library: what is hidden, what must be said; and whose queries are unknown then.
CHANGES: dict[str, tuple[dict[str, tuple[list[str], str]], set[str]]] = {
    "pools": (
        {
            "asyncpg": (
                ["asyncpg.pool:Pool._acquire", "asyncpg.connection:Connection._addr"],
                "connections to servers are not counted; pools are not measured",
            ),
            "psycopg_pool": (
                ["psycopg_pool:ConnectionPool._nconns"],
                "waits for a connection are not counted",
            ),
            "sqlalchemy": (["sqlalchemy.pool.base:_ConnectionFairy._pool"], "in use are not counted"),
        },
        set(),
    ),
    "owners": (
        {
            "asyncpg": (["asyncpg.connection:Connection._proxy"], "pools are not measured"),
            "psycopg_pool": (["psycopg:Connection._pool"], "queries are not counted per pool"),
            "sqlalchemy": (["sqlalchemy.pool:QueuePool._max_overflow"], "the maximum size of pools"),
        },
        set(),
    ),
    "queries": (
        {
            "asyncpg": (
                [
                    "asyncpg.prepared_stmt:PreparedStatement._query",
                    "asyncpg.pool:PoolConnectionProxy._holder",
                ],
                "pools are not measured; queries are not counted",
            ),
            "psycopg": (["psycopg:Cursor._conn"], "queries are not counted"),
        },
        {"asyncpg", "psycopg"},
    ),
}


def notices(run: Run) -> list[str]:
    """What the plugin itself says."""
    return [event.message for event in run.events(WarningRaised)]


@pytest.mark.parametrize("change", CHANGES)
def test_drivers(change: str, suite: Suite, database: str, newest: str) -> None:
    libraries, unknown = CHANGES[change]
    directory = suite(test_drivers=DRIVERS)
    hidden = [path for paths, _ in libraries.values() for path in paths]
    env = {"TEST_DATABASE": database, **hide(directory, *hidden)}
    run = run_pytest(directory, "-p", "no:randomly", python=newest, env=env)
    assert run.events(RunFinish) and run.finish.counts == {"passed": 3}, run.output
    said = {notice.split(" ")[0]: notice for notice in notices(run)}
    assert len(notices(run)) == len(said) and said.keys() == libraries.keys(), notices(run)
    for library, (paths, lost) in libraries.items():
        assert lost in said[library] and said[library].split(":")[0][-1].isdigit(), said[library]
        assert all(path.rpartition(":")[2] in said[library] for path in paths), said[library]
    for engine, count in {"asyncpg": 4, "psycopg": 2, "sqlalchemy": 1}.items():
        record = run.test(f"::test_{engine}")
        if engine in unknown:
            assert engine in record.unwatched
        else:
            assert sum(use.queries for use in record.db) == count, (engine, record.db)


PYTEST = """
    import pytest

    @pytest.fixture(scope="module")
    def shared(): return 1

    def test_first(shared): assert shared == 1
    def test_again(shared): assert shared == 1
    def test_without(): pass
"""


def test_pytest(suite: Suite) -> None:
    directory = suite(test_it=PYTEST)
    hidden = ("_pytest.fixtures:FixtureRequest._fixture_defs", "_pytest.terminal:TerminalReporter._tw")
    run = run_pytest(directory, env=hide(directory, *hidden))
    assert run.events(RunFinish) and run.finish.counts == {"passed": 3}, run.output
    assert "3 passed" in run.output
    fixtures, printed = notices(run)
    assert fixtures.startswith(f"pytest {run.hello.pytest}: reuse of shared fixtures is not recorded")
    assert printed.startswith(f"pytest {run.hello.pytest}: output around the tests is not recorded")
    assert [use.name for use in run.test("::test_first").fixtures] == ["shared"]
    assert not run.test("::test_again").fixtures
