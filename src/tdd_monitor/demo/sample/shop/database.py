"""The shop's database: its schema, and connections to it."""

from pathlib import Path
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

SEARCH_PATH = {"search_path": "shop"}


async def connect(url: str, *, max_size: int = 5) -> asyncpg.Pool:
    """Open a pool of connections to the shop's database."""
    return await asyncpg.create_pool(url, min_size=2, max_size=max_size, server_settings=SEARCH_PATH)


async def create_schema(connection: Connection) -> None:
    """Create all tables in an empty database."""
    await connection.execute(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))


def free_connections(pool: asyncpg.Pool) -> int:
    """Number of connections that the pool could hand out now."""
    return pool.get_max_size() - pool.get_size() + pool.get_idle_size()
