"""Alternates the toolkit's benchmark with raw asyncpg on the same backends, so noise affects both alike.

The operations `..._cached` do the same with a declared schema, whose tables exist already, while raw
asyncpg still creates its table in every round: their ratio is what the schema cache saves.
"""

import asyncio
import time
from collections.abc import Callable

import asyncpg

from tdd_monitor.testing import (
    TDDPerformanceBenchmark,
    TDDTestContext,
    get_database_manager,
    tdd_test_context,
)
from tdd_monitor.testing.benchmark.benchmark import RECORDS_DDL, USERS_DDL, Sample, individual_test, use_users
from tdd_monitor.testing.schema.declare import Schema, declare_schema

from . import raw
from .measurement import CACHED, Report, compare

AT_ONCE = 10
SCHEMA = declare_schema([ddl.replace(" TEMP ", " ") for ddl in (USERS_DDL, RECORDS_DDL)])

Progress = Callable[[str, int, int], None]

_RAW: dict[str, raw.RawSample] = {
    "individual_test": raw.whole_test,
    "fixture_setup": raw.begin,
    "connection_acquire": raw.begin,
    "schema_operation": raw.create_table,
    "test_cleanup": raw.rollback,
    "parallel_execution": raw.whole_test,
}


class Comparison:
    """One run of the benchmark, with a round of the raw driver after each round of the toolkit.

    `runs` multiplies the number of samples (1.0: 50 or 100 of each operation);
    `on_progress(operation, done, total)` is called after each round.
    """

    def __init__(self, runs: float = 1.0, on_progress: Progress | None = None) -> None:
        self._runs = runs
        self._on_progress = on_progress
        self._benchmark = TDDPerformanceBenchmark(after_turn=self._after_turn)
        self._floor: dict[str, list[float]] = {}
        self._efficiency: dict[str, float] = {}
        self._turns = (0, 0)  # done, in total, of the current operation

    async def run(self) -> Report:
        """Measure everything.

        On a server where databases cannot be created, the operations with a declared schema are left out.
        Raises what the toolkit raises when there is no server.
        """
        manager = get_database_manager()
        await manager.initialize()
        try:
            left_out = _why_no_schema()
            await self._measure_published()
            if not left_out:
                await self._measure_cached()
        finally:
            await manager.close()
        benchmark = self._benchmark
        return compare(
            benchmark.generate_performance_report(),
            benchmark.measurements,
            self._floor,
            self._efficiency,
            left_out,
        )

    async def _measure_published(self) -> None:
        benchmark = self._benchmark
        await benchmark.benchmark_individual_test(self._begin(50))
        await benchmark.benchmark_fixture_setup(self._begin(100))
        await benchmark.benchmark_connection_acquisition(self._begin(100))
        await benchmark.benchmark_schema_operations(self._begin(50))
        await benchmark.benchmark_test_cleanup(self._begin(100))
        await self._measure_at_once("parallel_execution", individual_test)

    async def _measure_cached(self) -> None:
        targets = self._benchmark.baseline_targets
        for name in ("individual_test", "schema_operation", "parallel_execution"):
            targets[name + CACHED] = targets[name]
        await self._benchmark.measure("individual_test" + CACHED, _individual_test_cached, self._begin(50))
        await self._benchmark.measure("schema_operation" + CACHED, _schema_operation_cached, self._begin(50))
        await self._measure_at_once("parallel_execution" + CACHED, _individual_test_cached)

    async def _measure_at_once(self, operation: str, sample: Sample) -> None:
        rounds = [
            await self._benchmark.measure_at_once(operation, sample, AT_ONCE) for _ in range(self._begin(10))
        ]
        single_ms = sum(sum(each["individual_times"]) for each in rounds)
        self._efficiency[operation] = single_ms / sum(each["total_time"] for each in rounds)

    def _begin(self, turns: int) -> int:
        self._turns = (0, max(2, round(turns * self._runs)))
        return self._turns[1]

    async def _after_turn(self, operation: str, counted: bool) -> None:
        """Run the same operation with the raw driver, on the same connections."""
        count = AT_ONCE if operation.startswith("parallel") else 1
        connections = await _same_backends(count, SCHEMA if operation.endswith(CACHED) else None)
        raw_operation = _RAW[operation.removesuffix(CACHED)]
        times_ms = await asyncio.gather(*(raw_operation(connection) for connection in connections))
        if not counted:
            return
        self._floor.setdefault(operation, []).extend(times_ms)
        done, total = self._turns = (self._turns[0] + 1, self._turns[1])
        if self._on_progress is not None:
            self._on_progress(operation, done, total)


def _why_no_schema() -> str:
    try:
        get_database_manager().database(SCHEMA)
    except asyncpg.InsufficientPrivilegeError as error:
        return str(error)
    return ""


async def _same_backends(count: int, schema: Schema | None) -> list[asyncpg.Connection]:
    """The connections that the next `count` concurrent contexts will use, for raw use before that.

    On a machine with few cores one backend is up to twice as fast as another, depending on where the
    scheduler put it: a separate connection for the raw driver would measure that.
    """
    manager = get_database_manager()
    connections: list[asyncpg.Connection] = []
    while len(connections) < count:  # the toolkit may just have retired one after long use
        contexts = [TDDTestContext("beside", schema) for _ in range(count)]
        connections = [await manager.get_test_connection(context) for context in contexts]
        for context in contexts:
            await manager.cleanup_test_connection(context)
        connections = [connection for connection in connections if not connection.is_closed()]
    return connections


async def _individual_test_cached() -> float:
    started_ns = time.perf_counter_ns()
    async with tdd_test_context("individual_test_cached", SCHEMA) as context:
        await use_users(context.connection)
    return (time.perf_counter_ns() - started_ns) / 1e6


async def _schema_operation_cached() -> float:
    """The whole setup of the context: an upper bound for the cost of its tables."""
    async with tdd_test_context("schema_operation_cached", SCHEMA) as context:
        await context.connection.execute("SELECT FROM bench_records")
    return context.timings.context_setup_ms
