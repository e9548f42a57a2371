"""Whatever a test does in whatever order, the next finds nothing of it."""

import asyncio
import contextlib
import warnings
from collections.abc import Iterator

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tdd_monitor.testing import IsolationWarning, TDDTestContext, get_database_manager, tdd_test_context

ACTIONS = [
    "CREATE TABLE left_over (i int)",
    "CREATE TEMP TABLE scratch (i int)",
    "SELECT 1/0",
    "SAVEPOINT mine",
    "ROLLBACK TO mine",
    "RELEASE mine",
    "COMMIT",
    "ROLLBACK",
    "BEGIN",
    "COMMIT AND CHAIN",
    "SAVEPOINT tdd_monitor",
    "PREPARE named AS SELECT 1",
    "SET work_mem = '9MB'",
    "SET ROLE pg_monitor",
    "LISTEN news",
    "SELECT pg_advisory_lock(4911)",
    "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
    "SELECT pg_terminate_backend(pg_backend_pid())",
    "LOCK TABLE pg_class IN ACCESS EXCLUSIVE MODE",
    "close",
    "transaction",
    "another connection",
    "stray task",
    "left running",
]
LEFT_OVERS = """
    SELECT (SELECT count(*) FROM pg_tables WHERE tablename = 'left_over')
         + (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE d.datname = current_database() AND locktype = 'advisory')
         + (SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in%')
"""
STATE = """
    SELECT current_setting('work_mem') || current_user || session_user
        || (SELECT count(*) FROM pg_prepared_statements)
        || (SELECT count(*) FROM pg_cursors WHERE name = 'held')
        || (SELECT count(*) FROM pg_listening_channels()) || coalesce(to_regclass('scratch')::text, '')
"""


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@given(st.lists(st.sampled_from(ACTIONS), max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_left_over(runner: asyncio.Runner, actions: list[str]) -> None:
    runner.run(misbehave_and_look(actions))


async def misbehave_and_look(actions: list[str]) -> None:
    go_on, strays = asyncio.Event(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IsolationWarning)
        async with tdd_test_context() as context:
            for action in actions:
                with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                    if action == "stray task":
                        strays.append(asyncio.create_task(stray(context.connection, go_on)))
                    elif action == "left running":
                        strays.append(asyncio.create_task(context.connection.execute("SELECT pg_sleep(9)")))
                        await asyncio.sleep(0)
                    else:
                        await act(context, action)
    look = await asyncpg.connect(get_database_manager().database().url)
    assert await look.fetchval(LEFT_OVERS) == 0
    await look.close()
    async with tdd_test_context() as context:
        go_on.set()
        refused = await asyncio.gather(*strays, return_exceptions=True)
        assert all(isinstance(each, (asyncpg.PostgresError, asyncpg.InterfaceError)) for each in refused)
        assert await context.connection.fetchval(STATE) == "4MBpostgrespostgres000"
        async with context.connection.transaction():
            assert await context.connection.fetchval("SELECT to_regclass('left_over')") is None


async def stray(connection: asyncpg.Connection, go_on: asyncio.Event) -> None:
    await go_on.wait()
    await connection.execute("CREATE TABLE left_over (i int); COMMIT")


async def act(context: TDDTestContext, action: str) -> None:
    connection = context.connection
    if action == "close":
        await connection.close()
    elif action == "transaction":
        await connection.transaction().start()
    elif action == "another connection":
        other = await asyncpg.connect(context.database_url, timeout=0.5)
        await other.execute("SET lock_timeout = '0.1s'; CREATE TABLE left_over (i int)")
        await other.close()
    else:
        await connection.execute(action)
