"""Pools: warm, right for each loop, and clear about who holds what when they are exhausted."""

import asyncio
import re

import asyncpg
import pytest

from tdd_monitor.testing import (
    SHARED_POOL_CONFIG,
    GuardedPool,
    PoolExhaustedError,
    TDDTestContext,
    get_database_manager,
)

from .conftest import Run


def small_pool(max_size: int = 2) -> GuardedPool:
    return GuardedPool(get_database_manager().pool_url, min_size=1, max_size=max_size, acquire_timeout_s=0.05)


def test_the_configuration_of_the_shared_pool() -> None:
    assert [SHARED_POOL_CONFIG[key] for key in ("min_size", "max_size", "command_timeout")] == [5, 15, 10]


async def test_the_fixtures_are_warm_pools(
    optimized_connection_pool: GuardedPool, shared_connection_pool: GuardedPool
) -> None:
    for pool, size in ((optimized_connection_pool, 2), (shared_connection_pool, 5)):
        assert pool.get_size() == size
        async with pool.acquire() as connection:
            assert await connection.fetchval("SHOW jit") == "off"
            assert pool.get_idle_size() == size - 1


async def test_it_is_used_as_a_pool_of_asyncpg(optimized_connection_pool: GuardedPool) -> None:
    pool = optimized_connection_pool
    await pool.execute("DROP TABLE IF EXISTS wares; CREATE TABLE wares (i int)")
    await pool.executemany("INSERT INTO wares VALUES ($1)", [(1,), (2,)])
    assert await pool.fetchval("SELECT sum(i) FROM wares") == 3
    assert [row["i"] for row in await pool.fetch("SELECT i FROM wares ORDER BY i")] == [1, 2]
    assert (await pool.fetchrow("SELECT max(i) AS m FROM wares"))["m"] == 2
    connection = await pool.acquire()
    await pool.release(connection)
    assert pool.holders == ()


async def test_what_a_pool_commits_is_not_seen_by_contexts(
    optimized_connection_pool: GuardedPool, tdd_test_context: TDDTestContext
) -> None:
    await optimized_connection_pool.execute("CREATE TABLE IF NOT EXISTS committed (i int)")
    assert await tdd_test_context.connection.fetchval("SELECT to_regclass('committed')") is None


async def hoard(pool: GuardedPool) -> list[object]:
    return [await pool.acquire() for _ in range(pool.get_max_size())]


async def test_an_exhausted_pool_names_the_holders_of_its_connections() -> None:
    async with small_pool() as pool:
        held = await hoard(pool)
        with pytest.raises(PoolExhaustedError) as caught:
            async with pool.acquire():
                pass
        for connection in held:
            await pool.release(connection)
    message = str(caught.value)
    assert message.startswith("All 2 connections of the pool are in use; waited 0.05 s for one.")
    assert (
        len(re.findall(r"test_pools.py::test_an_exhausted_pool_names.* \(call\), for \d+\.\d s", message))
        == 2
    )
    assert re.search(r"tests/testing/test_pools\.py:\d+ in hoard", message)
    assert "Release each connection with `async with pool.acquire()" in message
    assert len(caught.value.holders) == 2
    assert isinstance(caught.value, TimeoutError)


async def test_ten_concurrent_tasks_open_the_pool_once() -> None:
    async with GuardedPool(get_database_manager().pool_url, min_size=1, max_size=10) as pool:
        assert await asyncio.gather(*(pool.fetchval("SELECT 1") for _ in range(10))) == [1] * 10


async def test_a_connection_that_is_never_released_is_reported_when_the_pool_closes() -> None:
    pool = small_pool()
    await pool.acquire()
    with pytest.warns(ResourceWarning, match="never released .*\n.*test_pools.py:\\d+ in test_a_connection"):
        await pool.close()


async def test_a_server_that_does_not_answer_is_no_exhaustion() -> None:
    pool = GuardedPool("postgresql://nobody@localhost:1/nothing")
    with pytest.raises(OSError, match="1"):
        await pool.fetchval("SELECT 1")


async def test_a_pool_works_in_every_loop() -> None:
    async with small_pool() as pool:
        here = await pool.fetchval("SELECT pg_backend_pid()")
        there = await asyncio.to_thread(asyncio.run, pool.fetchval("SELECT pg_backend_pid()"))
        assert here != there
    with pytest.raises(asyncpg.InterfaceError):
        await pool.release(object())


@pytest.mark.usefixtures("unraisable_reported")
def test_a_pool_of_the_session_serves_all_its_tests(run_pytest: Run) -> None:
    module = """
import pytest
BACKENDS = set()

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(5))
async def test_many(optimized_connection_pool, n):
    assert optimized_connection_pool.get_size() == 2
    BACKENDS.add(await optimized_connection_pool.fetchval("SELECT pg_backend_pid()"))

@pytest.mark.asyncio(loop_scope="session")
async def test_in_another_loop(optimized_connection_pool):
    assert await optimized_connection_pool.fetchval("SELECT 1") == 1

def test_backends(): assert len(BACKENDS) <= 2
"""
    result = run_pytest("-W", "error", "-W", "ignore:The configuration option", test_it=module)
    assert "7 passed" in result.stdout, result.stdout + result.stderr
