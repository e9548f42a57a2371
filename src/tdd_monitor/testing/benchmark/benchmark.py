"""Times the operations that every database test consists of.

The first rounds of each are not counted, because caches, catalogs and connections are cold.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from tdd_monitor.testing.contexts.async_context import TDDTestContext, tdd_test_context
from tdd_monitor.testing.contexts.manager import get_database_manager

from .report import TARGETS_MS, ParallelExecution, PerformanceReport, make_report

WARM_UP_TURNS = 5

Sample = Callable[[], Awaitable[float]]
AfterTurn = Callable[[str, bool], Awaitable[None]]

_now_ns = time.perf_counter_ns  # bound here: freezegun replaces the function in the module `time`


class TDDPerformanceBenchmark:
    """Measures the toolkit on the tests' database server; all times are milliseconds.

    `measurements` has the times of each operation, `baseline_targets` the highest acceptable means.
    `after_turn(operation, counted)` is awaited after each round of an operation. The methods that measure
    raise what the toolkit raises when there is no server.
    """

    def __init__(self, after_turn: AfterTurn | None = None) -> None:
        self.measurements: dict[str, list[float]] = {}
        self.baseline_targets: dict[str, float] = dict(TARGETS_MS)
        self._after_turn = after_turn
        self._warm: set[str] = set()

    def record_measurement(self, operation: str, duration_ms: float) -> None:
        """Add a time of an operation."""
        self.measurements.setdefault(operation, []).append(duration_ms)

    async def benchmark_individual_test(self, iterations: int = 50) -> list[float]:
        """Time whole tests: a context, CREATE TABLE, INSERT, SELECT, rollback. Returns the times."""
        return await self.measure("individual_test", individual_test, iterations)

    async def benchmark_fixture_setup(self, iterations: int = 100) -> list[float]:
        """Time how long a context takes to open. Returns the times."""
        return await self.measure("fixture_setup", _fixture_setup, iterations)

    async def benchmark_connection_acquisition(self, iterations: int = 100) -> list[float]:
        """Time `get_test_connection`, which begins a transaction too. Returns the times."""
        await get_database_manager().initialize()
        return await self.measure("connection_acquire", _connection_acquire, iterations)

    async def benchmark_schema_operations(self, iterations: int = 50) -> list[float]:
        """Time the creation of a temporary table. Returns the times."""
        return await self.measure("schema_operation", _schema_operation, iterations)

    async def benchmark_test_cleanup(self, iterations: int = 100) -> list[float]:
        """Time how long a context takes to close. Returns the times."""
        return await self.measure("test_cleanup", _test_cleanup, iterations)

    async def benchmark_parallel_execution(self, concurrent_tests: int = 10) -> ParallelExecution:
        """Time concurrent tests, each on its own connection.

        Raises ValueError for fewer than one.
        """
        return await self.measure_at_once("parallel_execution", individual_test, concurrent_tests)

    async def measure(self, operation: str, sample: Sample, iterations: int) -> list[float]:
        """Await `sample`, which returns milliseconds, `iterations` times in a row, and record the times."""
        await self._warm_up(operation, sample)
        times = []
        for _ in range(iterations):
            times.append(await sample())
            self.record_measurement(operation, times[-1])
            await self._turn_done(operation, counted=True)
        return times

    async def measure_at_once(self, operation: str, sample: Sample, count: int) -> ParallelExecution:
        """Await `sample` `count` times concurrently, and record the times. Raises ValueError below 1."""
        if count < 1:
            raise ValueError(f"At least one test must run, not {count}.")

        async def turn() -> list[float]:
            # Each in an empty context: it must not join a test context that is open around the benchmark.
            tasks = [asyncio.create_task(_await(sample), context=Context()) for _ in range(count)]
            return await asyncio.gather(*tasks)

        await self._warm_up(operation, turn)
        started_ns = _now_ns()
        times = await turn()
        total_ms = since_ms(started_ns)
        for time_ms in times:
            self.record_measurement(operation, time_ms)
        await self._turn_done(operation, counted=True)
        return ParallelExecution(
            individual_times=times,
            total_time=total_ms,
            average_time=statistics.fmean(times),
            max_time=max(times),
            parallel_efficiency=sum(times) / total_ms,
        )

    def generate_performance_report(self) -> PerformanceReport:
        """Report what has been measured so far against `baseline_targets`."""
        return make_report(self.measurements, self.baseline_targets)

    async def _warm_up(self, operation: str, turn: Callable[[], Awaitable[Any]]) -> None:
        """Run the uncounted first rounds of an operation, once."""
        if operation in self._warm:
            return
        self._warm.add(operation)
        for _ in range(WARM_UP_TURNS):
            await turn()
            await self._turn_done(operation, counted=False)

    async def _turn_done(self, operation: str, *, counted: bool) -> None:
        if self._after_turn is not None:
            await self._after_turn(operation, counted)


async def _await(sample: Sample) -> float:
    return await sample()


def since_ms(started_ns: int) -> float:
    """Return the milliseconds since a reading of `time.perf_counter_ns`."""
    return (_now_ns() - started_ns) / 1e6


USERS_DDL = "CREATE TEMP TABLE bench_users (id serial PRIMARY KEY, name text, value integer)"
RECORDS_DDL = (
    "CREATE TEMP TABLE bench_records (id serial PRIMARY KEY, name varchar(255), email varchar(255), "
    "created_at timestamp DEFAULT now(), metadata jsonb)"
)


async def use_users(connection: Any) -> None:
    """Insert a row into `bench_users` and count it. Raises RuntimeError when it is not the only one."""
    await connection.execute("INSERT INTO bench_users (name, value) VALUES ($1, $2)", "one", 1)
    rows = await connection.fetchval("SELECT count(*) FROM bench_users")
    if rows != 1:
        raise RuntimeError(f"A test found {rows} rows after inserting one: tests are not isolated.")


async def individual_test() -> float:
    """Time a typical test that creates its table, in milliseconds."""
    started_ns = _now_ns()
    async with tdd_test_context("individual_test") as context:
        await context.connection.execute(USERS_DDL)
        await use_users(context.connection)
    return since_ms(started_ns)


async def _fixture_setup() -> float:
    started_ns = _now_ns()
    async with tdd_test_context("fixture_setup"):
        return since_ms(started_ns)


async def _connection_acquire() -> float:
    manager, context = get_database_manager(), TDDTestContext("connection_acquire")
    started_ns = _now_ns()
    await manager.get_test_connection(context)
    elapsed_ms = since_ms(started_ns)
    await manager.cleanup_test_connection(context)
    return elapsed_ms


async def _schema_operation() -> float:
    async with tdd_test_context("schema_operation") as context:
        started_ns = _now_ns()
        await context.connection.execute(RECORDS_DDL)
        return since_ms(started_ns)


async def _test_cleanup() -> float:
    async with tdd_test_context("test_cleanup"):
        ended_ns = _now_ns()
    return since_ms(ended_ns)
