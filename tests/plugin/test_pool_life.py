"""Pools from their first use to their end: apart by identity, counted when it happens, closed, bounded."""

from plugin.conftest import Suite
from plugin.harness import Run, run_pytest
from tdd_monitor.plugin.observe.open_pools import _CHECKS_PER_SAMPLE, MAX_SHOWN
from tdd_monitor.protocol.events import Event, HeldConnections, Line, PoolSample, Sample, ServerSample
from tdd_monitor.session import reducer
from tdd_monitor.session.model import DatabaseServer, Pool, Session

LIFE = """
    import asyncio, gc, os
    import asyncpg, psycopg, pytest
    import sqlalchemy as sa

    URL = os.environ["TEST_DATABASE"]
    pools = []


    @pytest.fixture(scope="module")
    def run():
        loop = asyncio.new_event_loop()
        yield loop.run_until_complete
        loop.close()
    def test_two_pools_of_one_name(run):
        async def go():
            async with asyncpg.create_pool(URL, min_size=1, max_size=3) as three:
                async with asyncpg.create_pool(URL, min_size=1, max_size=4) as four:
                    taken = [(three, await three.acquire()) for _ in range(3)]
                    taken += [(four, await four.acquire()) for _ in range(4)]
                    for pool, connection in taken: await pool.release(connection)
        run(go())
    def test_brief_use(run):
        # Of an engine: its pool lasts, its use is over before anybody looks.
        engine = sa.create_engine("sqlite://", poolclass=sa.pool.QueuePool, pool_size=2)
        with engine.connect(), engine.connect(): pass
        pools.append(engine)
    def test_many_connections_for_a_moment():
        connections = [psycopg.connect(URL) for _ in range(10)]
        for connection in connections: connection.close()
"""
# More than are shown, and more hidden ones than are checked at once.
BRIEF, KEPT = 6 * MAX_SHOWN, MAX_SHOWN + _CHECKS_PER_SAMPLE + 50
MANY = f"""
    import sqlalchemy as sa

    kept = []


    def engine(): return sa.create_engine("sqlite://", poolclass=sa.pool.QueuePool)
    def test_one_after_the_other():
        for _ in range({BRIEF}):
            with engine().connect() as connection: connection.exec_driver_sql("SELECT 1")
    def test_all_at_once():
        for _ in range({KEPT}):
            kept.append(engine())
            with kept[-1].connect() as connection: connection.exec_driver_sql("SELECT 2")
    def test_none(): pass
"""


def session_of(run: Run) -> Session:
    session = Session()
    for line in run.lines:
        reducer.apply(session, line)
    return session


def pools_of(session: Session, engine: str) -> list[Pool]:
    return [pool for pool in session.pools.values() if pool.latest.engine == engine]


def test_pools_are_apart_counted_and_closed(suite: Suite, database: str, newest: str) -> None:
    run = run_pytest(suite(test_life=LIFE), python=newest, env={"TEST_DATABASE": database})
    assert run.exitcode == 0, run.output
    uses = run.test("::test_two_pools_of_one_name").db
    assert [(use.pool, use.peak) for use in uses] == [("postgres@local", 3), ("postgres@local", 4)]
    assert len({use.id for use in uses}) == 2
    last = [pool for sample in run.events(Sample) for pool in sample.pools if pool.closed]
    assert {(pool.peak, pool.max_size) for pool in last if pool.engine == "asyncpg"} == {(3, 3), (4, 4)}
    session = session_of(run)
    assert all(pool.closed for pool in session.pools.values())  # the process is gone
    asked = pools_of(session, "asyncpg")
    assert sorted((pool.peak_in_use, pool.latest.max_size) for pool in asked) == [(3, 3), (4, 4)]
    (brief,) = pools_of(session, "sqlalchemy")
    assert brief.peak_in_use == 2
    (held,) = session.held.items()
    assert (held[0], held[1].peak) == ("embedded", 10)


def test_hundreds_of_pools_are_reported_in_bounded_space(suite: Suite, newest: str) -> None:
    run = run_pytest(suite(test_many=MANY), python=newest)
    assert run.exitcode == 0, run.output
    samples = run.events(Sample)
    assert max(len(sample.pools) for sample in samples) <= 3 * MAX_SHOWN
    assert max(len(record.db) for record in run.records) <= 41
    for name, pools in (("::test_one_after_the_other", BRIEF), ("::test_all_at_once", KEPT)):
        db = run.test(name).db
        assert sum(use.queries for use in db) == pools
        assert sum(max(1, use.pools) for use in db) == pools
    assert run.test("::test_none").db == ()
    session = session_of(run)
    assert len(session.pools) <= 3 * MAX_SHOWN
    closed = sum(max(1, pool.latest.pools) for pool in session.pools.values())
    more = samples[-1].more_pools
    assert closed + more == BRIEF + KEPT
    assert more >= KEPT - MAX_SHOWN
    assert all(pool.peak_in_use == 1 for pool in session.pools.values())


def test_the_peak_of_a_server_is_not_below_what_the_tests_held() -> None:
    session = Session()
    told: list[tuple[str, Event]] = [
        ("gw0", Sample(held=(HeldConnections("db:5432", 4, 6),))),
        ("", ServerSample("db:5432", 3, 100)),
        ("gw1", Sample(held=(HeldConnections("db:5432", 5, 5),))),
    ]
    for number, (worker, event) in enumerate(told, 1):
        reducer.apply(session, Line(number, number, worker, event))
    server: DatabaseServer = session.servers["db:5432"]
    assert (server.peak, server.latest.connections) == (9, 3)


def test_what_is_closed_stays_closed_and_is_added_up() -> None:
    session = Session()
    for number in range(1, 101):
        opened = PoolSample("shop", "asyncpg", 1, 0, 1, 3, 0, number, number % 3 + 1)
        gone = opened._replace(in_use=0, closed=True, pools=1)
        for event in (opened, gone, opened):
            reducer.apply(session, Line(number, number, "", Sample(pools=(event,))))
    assert all(pool.closed for pool in session.pools.values())
    assert len(session.pools) <= 21
    assert sum(max(1, pool.latest.pools) for pool in session.pools.values()) == 100
    assert max(pool.peak_in_use for pool in session.pools.values()) == 3
