"""The three troubles: exhausted pools, slow schema operations, leaks."""

import asyncio

import pytest

from tdd_monitor.testing import COMMON_SCHEMA_TEMPLATES, GuardedPool, MemoryOptimizer, TDDTestContext

pytestmark = pytest.mark.usefixtures("quick_collections")


async def test_the_shared_pool_serves_many_tasks_at_once(shared_connection_pool: GuardedPool) -> None:
    everybody = asyncio.Barrier(5)  # more would make the pool larger for the tests that follow

    async def hold() -> int:
        async with shared_connection_pool.acquire() as connection:
            await everybody.wait()
            return int(await connection.fetchval("SELECT pg_backend_pid()"))

    assert len(set(await asyncio.gather(*(hold() for _ in range(5))))) == 5
    assert shared_connection_pool.get_max_size() == 15


@pytest.mark.parametrize(
    ("template", "insert"),
    [
        ("user_table", "INSERT INTO people (name, email) VALUES ('Ada', 'ada@example.org'), ('Ada', NULL)"),
        ("order_table", "INSERT INTO people (user_id, total) VALUES (1, 9.99), (NULL, NULL)"),
    ],
)
async def test_a_template_makes_a_table(tdd_test_context: TDDTestContext, template: str, insert: str) -> None:
    connection = tdd_test_context.connection
    await connection.execute(COMMON_SCHEMA_TEMPLATES[template].format(table_name="people"))
    await connection.execute(insert)
    assert await connection.fetchval("SELECT count(DISTINCT id) FROM people") == 2


@pytest.mark.usefixtures("memory_tracker")
def test_a_tracked_test_needs_nothing_from_its_tracker() -> None:
    pass


def test_the_tracker_names_objects_still_alive(memory_tracker: MemoryOptimizer) -> None:
    memory_tracker.track_object([1], "list")
    assert memory_tracker.tracked_objects == [([1], "list")]
