"""Databases for tests that must commit."""

import asyncio

import asyncpg
import pytest

from tdd_monitor.testing import SchemaError, get_database_manager, tdd_database
from tdd_monitor.testing.contexts.own_database import TDDDatabase

from .conftest import Look
from .test_schemas import unique


async def test_a_test_may_commit_and_the_next_sees_nothing_of_it() -> None:
    schema, names = unique(), set()
    for _ in range(3):
        async with tdd_database(schema=schema) as database:
            names.add(database.name)
            await database.connection.execute("INSERT INTO things (name) VALUES ('x')")
            other = await asyncpg.connect(database.url)  # left open
            assert await other.fetch("SELECT id, name FROM things") == [(1, "x")]
    assert len(names) == 3


async def test_the_next_ones_are_made_ahead() -> None:
    schema = unique()
    async with tdd_database(schema=schema) as first:
        assert first.path == "own database, was waited for"
        spares = get_database_manager()._databases._spares._ready  # type: ignore[union-attr]
        while not all(spares.values()):
            await asyncio.sleep(0.005)
    async with tdd_database(schema=schema) as second:
        assert second.path == "own database, was ready"
        assert second.ready_ms < first.ready_ms


async def test_the_fixture_and_the_url_for_others(tdd_database: TDDDatabase, tdd_database_url: str) -> None:
    assert tdd_database.url != tdd_database_url
    assert await tdd_database.connection.fetchval("SELECT current_database()") == tdd_database.name
    other = await asyncpg.connect(tdd_database_url)
    await other.close()


async def test_databases_of_past_tests_are_dropped(look: Look) -> None:
    async with tdd_database() as database:
        name = database.name
    async with asyncio.timeout(20):
        while await look("SELECT count(*) FROM pg_database WHERE datname = $1", name):
            await asyncio.sleep(0.01)


async def test_a_rejected_schema_is_reported_where_it_was_requested() -> None:
    with pytest.raises(SchemaError):
        async with tdd_database(schema="CREATE NONSENSE"):
            pass


async def test_outside_of_the_context_there_is_no_database() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        _ = tdd_database("x").url
