"""The connection pool, and how tests get into trouble with it."""

import asyncio
from contextlib import AsyncExitStack

import asyncpg
from shop import database


async def take(pool: asyncpg.Pool, held: AsyncExitStack, *, leave: int) -> None:
    """Acquire connections until only `leave` of them are free."""
    while database.free_connections(pool) > leave:
        await held.enter_async_context(pool.acquire())


async def test_a_connection_comes_back_after_use(pool: asyncpg.Pool) -> None:
    """The way it should be."""
    before = database.free_connections(pool)
    async with pool.acquire():
        assert database.free_connections(pool) == before - 1
    assert database.free_connections(pool) == before


async def test_hoards_all_connections_but_one(pool: asyncpg.Pool) -> None:
    """Hoards, on purpose: somebody else has to get along with the last connection."""
    async with AsyncExitStack() as held:
        await take(pool, held, leave=1)
        async with pool.acquire() as last:
            await last.execute("SELECT pg_sleep(0.4)")


async def test_waits_for_a_connection_of_the_exhausted_pool(pool: asyncpg.Pool) -> None:
    """Waits, on purpose: all connections are taken, the next one comes free after 0.4 s."""
    async with AsyncExitStack() as held:
        await take(pool, held, leave=0)
        waiting = asyncio.create_task(pool.fetchval("SELECT 42"))
        await asyncio.sleep(0.4)
        assert not waiting.done()
    assert await waiting == 42


async def test_forgets_to_give_a_connection_back(pool: asyncpg.Pool) -> None:
    """Forgets, on purpose: there is no `async with`, so one connection less for all that follow."""
    connection = await pool.acquire()
    assert await connection.fetchval("SELECT count(*) FROM orders") == 0
