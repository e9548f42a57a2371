"""Pools, the schema cache, parallel tests and memory: the shapes that users' code relies on."""

import asyncio
import hashlib
import json
import re
from pathlib import Path

import asyncpg
import pytest

from tdd_monitor.testing import (
    OPTIMIZED_POOL_CONFIG,
    GuardedPool,
    MemoryOptimizer,
    ParallelTestManager,
    SchemaCache,
    TDDTestContext,
    get_database_manager,
    tdd_test_context,
)

from .conftest import Run

pytestmark = pytest.mark.usefixtures("quick_collections")


async def test_asyncpg_takes_the_configuration_of_the_pool() -> None:
    assert json.loads(json.dumps(OPTIMIZED_POOL_CONFIG)) == {
        "min_size": 2,
        "max_size": 10,
        "command_timeout": 30,
        "server_settings": {"jit": "off"},
    }
    pool = await asyncpg.create_pool(get_database_manager().pool_url(), **OPTIMIZED_POOL_CONFIG)
    async with pool.acquire() as connection:
        assert await connection.fetchval("SHOW jit") == "off"
    assert (pool.get_min_size(), pool.get_max_size()) == (2, 10)
    await pool.close()


@pytest.mark.parametrize("fixture", ["optimized_connection_pool", "shared_connection_pool"])
async def test_the_pools_provide_connections(fixture: str, request: pytest.FixtureRequest) -> None:
    pool: GuardedPool = request.getfixturevalue(fixture)
    async with pool.acquire() as connection:
        assert await connection.execute("SELECT 1") == "SELECT 1"


async def test_cached_ddl_is_text_to_execute() -> None:
    schema_cache = SchemaCache()
    definition = "CREATE TEMP TABLE readers (id serial PRIMARY KEY, name varchar(100))"
    key = hashlib.sha256(definition.encode()).hexdigest()
    for turn in range(3):
        async with tdd_test_context("reader") as context:
            cached = schema_cache.get_cached_ddl(key)
            assert cached == (definition if turn else None)
            await context.connection.execute(cached or definition)
            if not cached:
                schema_cache.cache_ddl(key, definition)
    assert schema_cache.cache == {key: definition}
    # The server executed the text each time, so none was saved.
    assert schema_cache.cache_stats == {"hits": 2, "misses": 1, "ddl_operations_saved": 0}
    assert schema_cache.get_cache_efficiency() == pytest.approx(200 / 3)
    assert json.dumps(schema_cache.cache_stats)


def test_an_unused_cache_has_no_efficiency() -> None:
    assert SchemaCache().get_cache_efficiency() == 0


async def test_resources_and_their_tests_are_listed(tmp_path: Path) -> None:
    manager, other = ParallelTestManager(directory=tmp_path), ParallelTestManager(3, tmp_path)
    assert (manager.max_concurrent, other.max_concurrent) == (5, 3)
    assert manager.active_tests == set() and manager.resource_locks == {}
    assert await manager.allocate_resources("one", ["table a", "table b"])
    assert await other.allocate_resources("two", ["table c"])
    assert not await other.allocate_resources("two", ["table b", "table d"])
    assert await other.allocate_resources("two", ["table d"])
    assert not await other.allocate_resources("two", ["table d"])
    holders = {"table a": "one", "table b": "one", "table c": "two", "table d": "two"}
    assert manager.resource_locks == other.resource_locks == holders
    assert manager.active_tests == other.active_tests == {"one", "two"}
    await manager.release_resources("one")
    await manager.release_resources("nobody")
    assert other.resource_locks == {"table c": "two", "table d": "two"}
    await other.release_resources("two")
    assert manager.resource_locks == {} and manager.active_tests == set()
    assert not list(tmp_path.glob("resource-*"))  # a run of a thousand tests leaves no thousand files


async def test_concurrent_tasks_cannot_share_a_resource(tmp_path: Path) -> None:
    manager = ParallelTestManager(directory=tmp_path)
    got = await asyncio.gather(*(manager.allocate_resources(name, ["port"]) for name in "abc"))
    assert sorted(got) == [False, False, True]


async def test_a_parallel_test_has_resources_without_asking(
    parallel_safe_test: tuple[str, list[str]],
    parallel_test_manager: ParallelTestManager,
    tdd_test_context: TDDTestContext,
) -> None:
    test_id, resources = parallel_safe_test
    assert re.fullmatch(r"parallel_[0-9a-f]{8}", test_id)
    assert len(set(resources)) == 2 and all(test_id in name for name in resources)
    assert test_id in parallel_test_manager.active_tests
    assert {parallel_test_manager.resource_locks[name] for name in resources} == {test_id}
    for name in resources:
        await tdd_test_context.connection.execute(f"CREATE TABLE {name} (id int)")


@pytest.mark.parallel_resources("guide's mailbox", "guide's printer")
def test_a_parallel_test_has_the_resources_that_it_names(parallel_safe_test: tuple[str, list[str]]) -> None:
    assert parallel_safe_test[1] == ["guide's mailbox", "guide's printer"]


def test_parallel_tests_wait_their_turn(run_pytest: Run) -> None:
    module = """
import pytest, time
from tdd_monitor.testing import ParallelTestManager

@pytest.fixture(scope="session")
def parallel_test_manager(): return ParallelTestManager(max_concurrent=1)

@pytest.mark.parametrize("n", range(6))
def test_one(parallel_safe_test, parallel_test_manager, n):
    assert parallel_test_manager.active_tests == {parallel_safe_test[0]}
    time.sleep(0.02)
"""
    result = run_pytest("-p", "xdist", "-n", "2", "-rs", test_it=module)
    assert "6 passed" in result.stdout, result.stdout


class Payload:
    """Something that can be referred to weakly."""


@pytest.mark.parametrize("thing", [[1, 2], {"a": 1}, 7, "text", None, (1,), Payload()])
def test_anything_can_be_tracked(thing: object) -> None:
    optimizer = MemoryOptimizer()
    optimizer.track_object(thing)
    optimizer.track_object(thing, obj_type="thing")
    assert optimizer.tracked_objects == [(thing, None), (thing, "thing")]
    optimizer.optimize_memory()
    assert optimizer.tracked_objects == []


def test_snapshots_are_kept_by_their_label() -> None:
    optimizer = MemoryOptimizer()
    first = optimizer.take_memory_snapshot("start")
    assert set(first) == {"label", "rss_mb", "vms_mb", "timestamp"}
    assert first["label"] == "start" and first["vms_mb"] >= first["rss_mb"] > 1
    second = optimizer.take_memory_snapshot("end")
    assert second["timestamp"] >= first["timestamp"]
    assert optimizer.memory_snapshots == {"start": first, "end": second}
    assert json.loads(json.dumps(first)) == first


async def test_an_optimized_test_has_its_first_snapshot(memory_optimized_test: MemoryOptimizer) -> None:
    memory_optimized_test.track_object([1, 2, 3], "numbers")
    assert list(memory_optimized_test.memory_snapshots) == ["test_start"]


WATCHED = """
import pytest
KEPT = []

@pytest.fixture(autouse=True)
def every_test(memory_tracker): yield

def test_kept(): KEPT.append(bytearray(b"x" * 20 * 2**20))
def test_freed(): assert bytearray(b"x" * 20 * 2**20)
def test_tracked_to_be_named(memory_tracker):
    memory_tracker.track_object(bytearray(b"x" * 20 * 2**20), "payload")
"""
OPTIMIZED = """
KEPT = []

def test_kept(memory_optimized_test): KEPT.append(bytearray(b"x" * 20 * 2**20))
def test_freed(memory_optimized_test): assert bytearray(b"x" * 20 * 2**20)
def test_tracked(memory_optimized_test):
    memory_optimized_test.track_object(bytearray(b"x" * 20 * 2**20), "payload")
"""


def test_tests_that_keep_memory_cause_warnings(run_pytest: Run) -> None:
    """What an optimized test tracks is in use until its end; a tracker only names it."""
    result = run_pytest(test_watched=WATCHED, test_optimized=OPTIMIZED)
    assert "6 passed, 3 warnings" in result.stdout, result.stdout
    warned = re.findall(
        r"MemoryGrowthWarning: (\S+) left the process \d\d\.\d MB larger, more than (\d+) MB", result.stdout
    )
    assert warned == [
        ("test_optimized.py::test_kept", "5"),
        ("test_optimized.py::test_tracked", "5"),
        ("test_watched.py::test_kept", "10"),
    ]
