"""The connection pool, and typical mistakes with it."""

import asyncio
from contextlib import AsyncExitStack

import asyncpg
from shop import database


async def take(pool: asyncpg.Pool, held: AsyncExitStack, *, leave: int) -> None:
    """Acquire connections until only `leave` of them are free."""
    while database.free_connections(pool) > leave:
        await held.enter_async_context(pool.acquire())


async def test_a_connection_comes_back_after_use(pool: asyncpg.Pool) -> None:
    """The correct way."""
    before = database.free_connections(pool)
    async with pool.acquire():
        assert database.free_connections(pool) == before - 1
    assert database.free_connections(pool) == before


async def test_hoards_all_connections_but_one(pool: asyncpg.Pool) -> None:
    """Hoards, on purpose: only one connection is left for everything else."""
    async with AsyncExitStack() as held:
        await take(pool, held, leave=1)
        async with pool.acquire() as last:
            await last.execute("SELECT pg_sleep(0.4)")


async def test_waits_for_a_connection_of_the_exhausted_pool(pool: asyncpg.Pool) -> None:
    """Waits, on purpose: all connections are in use, the next one is released after 0.4 s."""
    async with AsyncExitStack() as held:
        await take(pool, held, leave=0)
        waiting = asyncio.create_task(pool.fetchval("SELECT 42"))
        await asyncio.sleep(0.4)
        assert not waiting.done()
    assert await waiting == 42


async def test_forgets_to_give_a_connection_back(pool: asyncpg.Pool) -> None:
    """Leaks, on purpose: without `async with`, later tests have one connection less."""
    connection = await pool.acquire()
    assert await connection.fetchval("SELECT count(*) FROM orders") == 0
