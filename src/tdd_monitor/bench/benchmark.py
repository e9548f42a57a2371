"""Measures the toolkit beside raw asyncpg, turn by turn: noise of the machine hits both alike."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from tdd_monitor.testing import get_database_manager, tdd_test_context

from .measurement import Measurement, Report

WARM_UP = 5  # rounds that are not counted: caches, catalogs and connections are cold in them
PARALLEL = 10

USERS = "CREATE TEMP TABLE bench_users (id serial PRIMARY KEY, name text, value integer)"
INSERT = "INSERT INTO bench_users (name, value) VALUES ($1, $2)"
COUNT = "SELECT count(*) FROM bench_users"
ORDERS = (
    "CREATE TEMP TABLE bench_orders (id serial PRIMARY KEY, name varchar(255), note varchar(255), "
    "created_at timestamp DEFAULT now(), data jsonb)"
)

Progress = Callable[[str, int, int], None]
Sample = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    runs: int
    ours: Sample
    floor: Sample


class TDDPerformanceBenchmark:
    """Runs the operations of the published targets and reports them.

    `runs` scales the number of samples (1.0: 50 or 100 for each operation).
    """

    def __init__(self, runs: float = 1.0) -> None:
        self._runs = runs
        self._raw: asyncpg.Connection | None = None

    async def run(self, on_progress: Progress | None = None) -> Report:
        """Measure everything; `on_progress(operation, done, total)` after each sample.

        Raises what the toolkit raises when there is no server.
        """
        manager = get_database_manager()
        await manager.initialize()
        self._raw = await asyncpg.connect(manager.database().url, statement_cache_size=0)
        try:
            measured = [await self._measure(each, on_progress) for each in self._operations()]
            measured.append(await self._parallel(on_progress))
        finally:
            await self._raw.close()
            await manager.close()
        return Report(tuple(measured))

    def _operations(self) -> tuple[_Operation, ...]:
        return (
            _Operation("individual_test", 50, _individual_test, self._raw_test),
            _Operation("fixture_setup", 100, _fixture_setup, self._raw_begin),
            _Operation("connection_acquire", 100, _connection_acquire, self._raw_round_trip),
            _Operation("schema_operation", 50, _schema_operation, self._raw_schema),
            _Operation("test_cleanup", 100, _test_cleanup, self._raw_rollback),
        )

    async def _measure(self, operation: _Operation, on_progress: Progress | None) -> Measurement:
        runs = max(2, round(operation.runs * self._runs))
        ours, floor = [], []
        for turn in range(-WARM_UP, runs):
            sample_ms, floor_ms = await operation.ours(), await operation.floor()
            if turn >= 0:
                ours.append(sample_ms)
                floor.append(floor_ms)
                if on_progress is not None:
                    on_progress(operation.name, turn + 1, runs)
        return Measurement(operation.name, tuple(ours), tuple(floor))

    async def _parallel(self, on_progress: Progress | None) -> Measurement:
        """Ten contexts at once, each on a connection of its own, against ten raw connections."""
        rounds = max(2, round(5 * self._runs))
        url = get_database_manager().database().url
        raw = [await asyncpg.connect(url, statement_cache_size=0) for _ in range(PARALLEL)]
        ours: list[float] = []
        floor: list[float] = []
        total_ms = 0.0
        try:
            for turn in range(-1, rounds):
                started_ns = time.perf_counter_ns()
                single = await asyncio.gather(*(_individual_test() for _ in range(PARALLEL)))
                round_ms = _since_ms(started_ns)
                alone = await asyncio.gather(*(_raw_test(connection) for connection in raw))
                if turn >= 0:
                    ours += single
                    floor += alone
                    total_ms += round_ms
                    if on_progress is not None:
                        on_progress("parallel_execution", turn + 1, rounds)
        finally:
            for connection in raw:
                await connection.close()
        return Measurement("parallel_execution", tuple(ours), tuple(floor), sum(ours) / total_ms)

    async def _raw_test(self) -> float:
        return await _raw_test(self._raw)

    async def _raw_begin(self) -> float:
        assert self._raw is not None
        transaction = self._raw.transaction()
        started_ns = time.perf_counter_ns()
        await transaction.start()
        elapsed_ms = _since_ms(started_ns)
        await transaction.rollback()
        return elapsed_ms

    async def _raw_rollback(self) -> float:
        assert self._raw is not None
        transaction = self._raw.transaction()
        await transaction.start()
        started_ns = time.perf_counter_ns()
        await transaction.rollback()
        return _since_ms(started_ns)

    async def _raw_round_trip(self) -> float:
        assert self._raw is not None
        started_ns = time.perf_counter_ns()
        await self._raw.fetchval("SELECT 1")
        return _since_ms(started_ns)

    async def _raw_schema(self) -> float:
        assert self._raw is not None
        transaction = self._raw.transaction()
        await transaction.start()
        started_ns = time.perf_counter_ns()
        await self._raw.execute(ORDERS)
        elapsed_ms = _since_ms(started_ns)
        await transaction.rollback()
        return elapsed_ms


def _since_ms(started_ns: int) -> float:
    return (time.perf_counter_ns() - started_ns) / 1e6


async def _body(connection: asyncpg.Connection) -> None:
    await connection.execute(USERS)
    await connection.execute(INSERT, "one", 1)
    assert await connection.fetchval(COUNT) == 1


async def _raw_test(connection: asyncpg.Connection) -> float:
    started_ns = time.perf_counter_ns()
    transaction = connection.transaction()
    await transaction.start()
    await _body(connection)
    await transaction.rollback()
    return _since_ms(started_ns)


async def _individual_test() -> float:
    started_ns = time.perf_counter_ns()
    async with tdd_test_context("individual_test") as context:
        await _body(context.connection)
    return _since_ms(started_ns)


async def _fixture_setup() -> float:
    async with tdd_test_context("fixture_setup") as context:
        pass
    return context.timings.context_setup_ms


async def _connection_acquire() -> float:
    async with tdd_test_context("connection_acquire") as context:
        pass
    return context.timings.connection_acquire_ms


async def _schema_operation() -> float:
    async with tdd_test_context("schema_operation") as context:
        started_ns = time.perf_counter_ns()
        await context.connection.execute(ORDERS)
        return _since_ms(started_ns)


async def _test_cleanup() -> float:
    async with tdd_test_context("test_cleanup") as context:
        pass
    return context.timings.test_cleanup_ms
