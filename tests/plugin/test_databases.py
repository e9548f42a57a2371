"""Pools and queries: asyncpg, SQLAlchemy on several drivers, psycopg and its pools."""

from pathlib import Path

from plugin.conftest import Suite
from plugin.harness import MS, Run, run_pytest
from tdd_monitor.protocol.events import PoolSample, Sample

ASYNCPG = """
    import asyncio
    import os

    import asyncpg
    import pytest

    URL = os.environ["TEST_DATABASE"]
    kept = []


    @pytest.fixture(scope="session")
    def loop():
        loop = asyncio.new_event_loop()
        yield loop
        loop.close()


    @pytest.fixture(scope="session")
    def run(loop): return loop.run_until_complete


    @pytest.fixture(scope="session")
    def pool(run):
        async def make(): return await asyncpg.create_pool(URL, min_size=1, max_size=2)
        pool = run(make())
        yield pool
        pool.terminate()


    @pytest.fixture(scope="module")
    def held(pool, run):
        connection = run(pool.acquire())
        yield connection
        run(pool.release(connection))


    def test_every_way_to_ask(pool, run):
        async def go():
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("CREATE TEMP TABLE t (id int, name text)")
                await connection.executemany("INSERT INTO t VALUES ($1, $2)", [(1, "a"), (2, "b")])
                await connection.fetch("SELECT 1 AS fetch")
                await connection.fetchrow("SELECT 1 AS fetchrow")
                await connection.fetchval("SELECT 1 AS fetchval")
                statement = await connection.prepare("SELECT $1::int AS prepared")
                await statement.fetchval(1)
                await statement.fetch(2)
                async for row in connection.cursor("SELECT generate_series(1, 200) AS cursor"): pass
                cursor = await connection.cursor("SELECT 1 AS held_cursor")
                await cursor.fetchrow()
                await connection.copy_records_to_table("t", records=[(3, "c")])
            await pool.fetchval("SELECT 1 AS pool")
        run(go())
    def test_one_after_the_other(pool, run):
        async def go():
            async with pool.acquire() as connection:
                for i in range(12): await connection.fetch(f"SELECT {i}  AS n, 'name {i}'")
        run(go())
    def test_failing_query(pool, run):
        async def go():
            with pytest.raises(asyncpg.DivisionByZeroError): await pool.execute("SELECT 1 / 0")
        run(go())
    def test_crowd(pool, run):
        async def one():
            async with pool.acquire() as connection: await connection.execute("SELECT pg_sleep(0.12)")
        async def go(): await asyncio.gather(*[one() for _ in range(6)])
        run(go())
    def test_impatient(pool, run):
        async def go():
            async with pool.acquire(), pool.acquire():
                with pytest.raises(asyncio.TimeoutError): await pool.acquire(timeout=0.05)
        run(go())
    def test_shared_connection(held, run): run(held.fetchval("SELECT 1"))
    def test_leak(pool, run): kept.append(run(pool.acquire()))
    def test_outside_any_pool(run):
        async def go():
            connection = await asyncpg.connect(URL)
            await connection.execute("SELECT 1")
            await connection.close()
        run(go())
    def test_no_database(): pass
"""
BEFORE = """
    # The driver and a pool are there before the plugin looks: a plugin of the user's has made them.
    import asyncio
    import os
    import asyncpg
    import sqlalchemy

    loop = asyncio.new_event_loop()
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.QueuePool)
    async def make(): return await asyncpg.create_pool(os.environ["TEST_DATABASE"], min_size=1, max_size=2)
    pool = loop.run_until_complete(make())
"""
AFTER = """
    import early

    def test_asyncpg(): early.loop.run_until_complete(early.pool.fetchval("SELECT 1"))
    def test_sqlalchemy():
        with early.engine.connect() as connection: connection.exec_driver_sql("SELECT 1")
"""
SQLITE = """
    import pytest
    import sqlalchemy as sa


    def test_queue_pool(tmp_path):
        engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=sa.pool.QueuePool)
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE t (i int)"))
            for i in range(5): connection.execute(sa.text("INSERT INTO t VALUES (:i)"), {"i": i})
            with pytest.raises(sa.exc.OperationalError): connection.execute(sa.text("SELECT nope"))
    def test_memory():
        with sa.create_engine("sqlite://").connect() as connection: connection.execute(sa.text("SELECT 1"))
    def test_null_pool(tmp_path):
        engine = sa.create_engine(f"sqlite:///{tmp_path}/null.db", poolclass=sa.pool.NullPool)
        for _ in range(2):
            with engine.connect() as connection: connection.execute(sa.text("SELECT 1"))
    def test_leak():
        global kept
        kept = sa.create_engine("sqlite://", poolclass=sa.pool.QueuePool).connect()
    def test_dispose_and_detach(tmp_path):
        engine = sa.create_engine(f"sqlite:///{tmp_path}/again.db", poolclass=sa.pool.QueuePool)
        engine.connect().close()
        engine.dispose()
        connection = engine.connect()
        connection.detach()
        connection.close()
"""
OTHERS = """
    import asyncio
    import os
    import threading

    import psycopg
    import psycopg_pool
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import create_async_engine

    URL = os.environ["TEST_DATABASE"]
    kept = []


    def on(driver): return URL.replace("postgresql:", f"postgresql+{driver}:")
    def test_engine_on_asyncpg():
        async def go():
            engine = create_async_engine(on("asyncpg"), pool_size=1, max_overflow=0)
            async def one():
                async with engine.connect() as c: await c.execute(sa.text("SELECT pg_sleep(0.05)"))
            await asyncio.gather(*[one() for _ in range(3)])
            await engine.dispose()
        asyncio.run(go())
    def test_engine_on_psycopg():
        engine = sa.create_engine(on("psycopg"))
        with engine.connect() as connection:
            for i in range(3): connection.execute(sa.text(f"SELECT {i}"))
        engine.dispose()
    def test_engine_on_async_psycopg():
        async def go():
            engine = create_async_engine(on("psycopg"))
            async with engine.connect() as connection: await connection.execute(sa.text("SELECT 1"))
            await engine.dispose()
        asyncio.run(go())
    def test_engine_on_aiosqlite(tmp_path):
        async def go():
            engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
            async with engine.connect() as connection: await connection.execute(sa.text("SELECT 1"))
            await engine.dispose()
        asyncio.run(go())
    def test_psycopg():
        with psycopg.connect(URL) as connection:
            connection.execute("CREATE TEMP TABLE t (i int)")
            cursor = connection.cursor()
            cursor.executemany("INSERT INTO t VALUES (%s)", [(1,), (2,)])
            with cursor.copy("COPY t FROM STDIN") as copy: copy.write_row((3,))
            assert [row[0] for row in cursor.stream("SELECT i FROM t ORDER BY i")] == [1, 2, 3]
            with connection.cursor("named") as named: named.execute("SELECT 1")
            connection.execute(psycopg.sql.SQL("SELECT {}").format(5))
            connection.execute(b"SELECT 6")
    def test_psycopg_async():
        async def go():
            async with await psycopg.AsyncConnection.connect(URL) as connection:
                await connection.execute("SELECT 1")
                rows = connection.cursor().stream("SELECT generate_series(1, 3)")
                assert [row[0] async for row in rows] == [1, 2, 3]
                rows = connection.cursor().stream("SELECT 1 WHERE false")
                assert [row async for row in rows] == []
        asyncio.run(go())
    def test_psycopg_pool():
        with psycopg_pool.ConnectionPool(URL, min_size=2, max_size=2, open=True) as pool:
            pool.wait()
            def work():
                with pool.connection() as connection: connection.execute("SELECT pg_sleep(0.12)")
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
    def test_psycopg_async_pool():
        async def go():
            async with psycopg_pool.AsyncConnectionPool(URL, min_size=1, name="mine", open=False) as pool:
                async with pool.connection() as connection: await connection.execute("SELECT 1")
                await pool.getconn()
        asyncio.run(go())
    def test_leaks_of_async_engines(tmp_path):
        async def leak(url):
            engine = create_async_engine(url)
            kept.append(await engine.connect())  # a leak
        for url in (on("asyncpg"), on("psycopg"), f"sqlite+aiosqlite:///{tmp_path}/leak.db"):
            asyncio.run(leak(url))
"""


def samples_of(run: Run, engine: str) -> list[PoolSample]:
    return [pool for sample in run.events(Sample) for pool in sample.pools if pool.engine == engine]


def test_asyncpg(suite: Suite, database: str) -> None:
    directory = suite(test_asyncpg=ASYNCPG)
    run = run_pytest(directory, env={"TEST_DATABASE": database})
    assert run.exitcode == 0, run.output
    check_asyncpg_queries(run)
    check_asyncpg_pool(run, directory)
    assert run.test("::test_no_database").db == ()


def check_asyncpg_queries(run: Run) -> None:
    every = run.pool("::test_every_way_to_ask", "asyncpg")
    assert (every.queries, every.ddl) == (11, 1)
    assert 0 < every.ddl_ns == every.ddl_max_ns < every.query_ns
    assert {"COMMIT", "CREATE TEMP TABLE t (id int, name text)"} & {s.sql for s in every.slowest}
    assert every.repeated == ()
    many = run.pool("::test_one_after_the_other", "asyncpg")
    assert many.queries == 12
    assert [(statement.sql, statement.count) for statement in many.repeated] == [("SELECT ? AS n, ?", 12)]
    assert run.pool("::test_failing_query", "asyncpg").queries == 1
    (outside,) = run.test("::test_outside_any_pool").db
    assert (outside.engine, outside.pool, outside.queries, outside.acquires) == ("asyncpg", "", 1, 0)


def check_asyncpg_pool(run: Run, directory: Path) -> None:
    crowd = run.pool("::test_crowd", "asyncpg")
    assert (crowd.pool, crowd.acquires, crowd.waits, crowd.peak) == ("postgres@local", 6, 4, 2)
    assert crowd.acquire_max_ns >= 200 * MS
    assert crowd.leaked == 0
    busiest = max(samples_of(run, "asyncpg"), key=lambda sample: sample.waiting)
    assert (busiest.in_use, busiest.size, busiest.max_size) == (2, 2, 2)
    assert busiest.waiting >= 2
    impatient = run.pool("::test_impatient", "asyncpg")
    assert (impatient.acquires, impatient.waits, impatient.leaked) == (3, 1, 0)
    # What a fixture of the module holds is not leaked by the test that was the first to ask for it.
    assert run.pool("::test_shared_connection", "asyncpg").leaked == 0
    leak = run.pool("::test_leak", "asyncpg")
    text = (directory / "test_asyncpg.py").read_text().splitlines()
    line = text.index("def test_leak(pool, run): kept.append(run(pool.acquire()))") + 1
    assert (leak.leaked, leak.leaked_at) == (1, (f"{directory}/test_asyncpg.py:{line}",))


def test_pools_that_were_there_before(suite: Suite, database: str) -> None:
    directory = suite(early=BEFORE, test_after=AFTER)
    run = run_pytest(directory, "-p", "early", env={"TEST_DATABASE": database, "PYTHONPATH": str(directory)})
    assert run.exitcode == 0, run.output
    use = run.pool("::test_asyncpg", "asyncpg")
    assert (use.pool, use.acquires, use.queries) == ("postgres@local", 1, 1)
    use = run.pool("::test_sqlalchemy", "sqlalchemy")
    assert (use.pool, use.acquires, use.queries) == ("sqlite", 1, 1)


def test_sqlalchemy_on_a_driver_that_is_not_measured(suite: Suite) -> None:
    run = run_pytest(suite(test_sqlite=SQLITE))
    assert run.exitcode == 0, run.output
    check_sqlite(run)


def check_sqlite(run: Run) -> None:
    use = run.pool("::test_queue_pool", "sqlalchemy")
    assert (use.pool, use.acquires, use.peak, use.queries, use.ddl) == ("shop.db", 1, 1, 7, 1)
    assert [(s.sql, s.count) for s in use.repeated] == [("INSERT INTO t VALUES (...)", 5)]
    assert run.pool("::test_memory", "sqlalchemy").queries == 1
    null = run.pool("::test_null_pool", "sqlalchemy")
    assert (null.acquires, null.queries, null.leaked) == (2, 2, 0)
    leak = run.pool("::test_leak", "sqlalchemy")
    assert leak.leaked == 1
    assert leak.leaked_at[0].rpartition(":")[0].endswith("test_sqlite.py")
    assert all(use.leaked == 0 for use in run.test("::test_dispose_and_detach").db)


def test_engines_and_psycopg(suite: Suite, database: str, newest: str) -> None:
    directory = suite(test_others=OTHERS, test_sqlite=SQLITE)
    run = run_pytest(directory, python=newest, env={"TEST_DATABASE": database})
    assert run.exitcode == 0, run.output
    check_sqlite(run)
    check_leaks_of_async_engines(run, directory / "test_others.py")
    use = run.pool("::test_engine_on_asyncpg", "sqlalchemy")
    assert (use.acquires, use.waits, use.peak, use.queries) == (3, 2, 1, 3)
    for name, queries in (("on_psycopg", 3), ("on_async_psycopg", 1), ("on_aiosqlite", 1)):
        (use,) = run.test(f"::test_engine_{name}").db
        assert (use.engine, use.acquires, use.queries) == ("sqlalchemy", 1, queries), name
    (use,) = run.test("::test_psycopg").db
    assert (use.engine, use.pool, use.queries, use.ddl) == ("psycopg", "", 7, 1)
    (use,) = run.test("::test_psycopg_async").db
    assert use.queries == 3
    (use,) = run.test("::test_psycopg_pool").db
    assert (use.pool, use.acquires, use.waits, use.peak) == ("postgres@local", 4, 2, 2)
    assert use.acquire_max_ns >= 100 * MS
    assert max(sample.waiting for sample in samples_of(run, "psycopg")) == 2
    (use,) = run.test("::test_psycopg_async_pool").db
    assert (use.pool, use.acquires, use.leaked) == ("mine", 2, 1)


def check_leaks_of_async_engines(run: Run, file: Path) -> None:
    lines = file.read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.endswith("# a leak"))
    uses = run.test("::test_leaks_of_async_engines").db
    places = [place for use in uses for place in use.leaked_at]
    assert places == [f"{file}:{line}"] * 3, uses
