"""Histories in a file and on a real server."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tdd_monitor.history.database import Database
from tdd_monitor.history.postgresql import PostgreSQL
from tdd_monitor.history.sqlite import SQLite
from tdd_monitor.history.store import Store
from tdd_monitor.testing.postgres import PostgresUnavailable, acquire_server


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server."""
    try:
        with acquire_server() as lease:
            yield lease.address.url()
    except PostgresUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def shared_url(server_url: str) -> Iterator[str]:
    """A place for one team's history on that server."""
    schema = f"history_{uuid4().hex}"

    def execute(sql: str) -> None:
        async def connected() -> None:
            connection = await asyncpg.connect(server_url)
            await connection.execute(sql)
            await connection.close()

        asyncio.run(connected())

    execute(f"CREATE SCHEMA {schema}")
    yield f"{server_url}{'&' if '?' in server_url else '?'}search_path={schema}"
    execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Opens the same history again and again."""
    databases: list[Database] = []
    url = request.getfixturevalue("shared_url") if request.param == "postgresql" else ""

    def another() -> Database:
        databases.append(PostgreSQL(url) if url else SQLite(tmp_path))
        return databases[-1]

    yield another
    for database in databases:
        database.close()


@pytest.fixture
def store(opened: Callable[[], Database]) -> Store:
    return Store(opened())
