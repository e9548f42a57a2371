"""Measures the toolkit beside raw asyncpg on the same backends, turn by turn: noise hits both alike.

The operations `..._cached` do the same with a declared schema, whose tables stand ready, while raw asyncpg
still creates its table in every turn: their ratio is what the schema cache saves.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from tdd_monitor.testing import TDDTestContext, get_database_manager, tdd_test_context
from tdd_monitor.testing.schema.declare import Schema, declare_schema

from .measurement import Measurement, Report

WARM_UP = 5  # rounds that are not counted: caches, catalogs and connections are cold in them
PARALLEL = 10

_USERS = "bench_users (id serial PRIMARY KEY, name text, value integer)"
_ORDERS = (
    "bench_orders (id serial PRIMARY KEY, name varchar(255), note varchar(255), "
    "created_at timestamp DEFAULT now(), data jsonb)"
)
USERS = f"CREATE TEMP TABLE {_USERS}"
ORDERS = f"CREATE TEMP TABLE {_ORDERS}"
SCHEMA = declare_schema([f"CREATE TABLE {_USERS}", f"CREATE TABLE {_ORDERS}"])
INSERT = "INSERT INTO bench_users (name, value) VALUES ($1, $2)"
COUNT = "SELECT count(*) FROM bench_users"

Progress = Callable[[str, int, int], None]
Sample = Callable[[], Awaitable[float]]
RawSample = Callable[[asyncpg.Connection], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    runs: int
    ours: Sample
    floor: RawSample
    schema: Schema | None = None
    at_once: int = 1


class TDDPerformanceBenchmark:
    """Runs the operations of the published targets and reports them.

    `runs` scales the number of samples (1.0: 50 or 100 for each operation).
    """

    def __init__(self, runs: float = 1.0) -> None:
        self._runs = runs

    async def run(self, on_progress: Progress | None = None) -> Report:
        """Measure everything; `on_progress(operation, done, total)` after each round.

        On a server where no database may be created, the operations with a declared schema are left out.
        Raises what the toolkit raises when there is no server.
        """
        manager = get_database_manager()
        await manager.initialize()
        operations, left_out = _operations(), ""
        try:
            try:
                manager.database(SCHEMA)
            except asyncpg.InsufficientPrivilegeError as error:
                operations = tuple(each for each in operations if each.schema is None)
                left_out = str(error)
            measured = [await self._measure(each, on_progress) for each in operations]
        finally:
            await manager.close()
        return Report(tuple(measured), left_out)

    async def _measure(self, operation: _Operation, on_progress: Progress | None) -> Measurement:
        runs = max(2, round(operation.runs * self._runs))
        ours: list[float] = []
        floor: list[float] = []
        total_ms = 0.0
        for turn in range(-WARM_UP, runs):
            started_ns = time.perf_counter_ns()
            ours_ms = await asyncio.gather(*(operation.ours() for _ in range(operation.at_once)))
            round_ms = _since_ms(started_ns)
            connections = await _same_backends(operation.at_once, operation.schema)
            floor_ms = await asyncio.gather(*(operation.floor(connection) for connection in connections))
            if turn >= 0:
                ours += ours_ms
                floor += floor_ms
                total_ms += round_ms
                if on_progress is not None:
                    on_progress(operation.name, turn + 1, runs)
        efficiency = sum(ours) / total_ms if operation.at_once > 1 else None
        return Measurement(operation.name, tuple(ours), tuple(floor), efficiency)


def _operations() -> tuple[_Operation, ...]:
    return (
        _Operation("individual_test", 50, _individual_test, _raw_test),
        _Operation("fixture_setup", 100, _fixture_setup, _raw_begin),
        _Operation("connection_acquire", 100, _connection_acquire, _raw_round_trip),
        _Operation("schema_operation", 50, _schema_operation, _raw_schema),
        _Operation("test_cleanup", 100, _test_cleanup, _raw_rollback),
        _Operation("parallel_execution", 10, _individual_test, _raw_test, at_once=PARALLEL),
        _Operation("individual_test_cached", 50, _individual_test_cached, _raw_test, SCHEMA),
        _Operation("schema_operation_cached", 50, _schema_operation_cached, _raw_schema, SCHEMA),
        _Operation("parallel_execution_cached", 10, _individual_test_cached, _raw_test, SCHEMA, PARALLEL),
    )


async def _same_backends(count: int, schema: Schema | None) -> list[asyncpg.Connection]:
    """The connections that the next `count` contexts at once will get, to be used raw before that.

    On a machine with few cores one backend is up to twice as fast as another, by where the scheduler has
    put it: a connection of its own for the raw driver would compare that.
    """
    connections: list[asyncpg.Connection] = []
    while len(connections) < count:  # the toolkit may just have closed one that has served long enough
        contexts = [tdd_test_context("beside", schema) for _ in range(count)]
        for context in contexts:
            await asyncio.create_task(_enter(context))
        connections = [context.connection._con for context in contexts]  # what stays after the context
        for context in contexts:
            await context.__aexit__(None, None, None)
        connections = [connection for connection in connections if not connection.is_closed()]
    return connections


async def _enter(context: TDDTestContext) -> None:
    """In a task of its own, so that contexts are beside each other, not within."""
    await context.__aenter__()


def _since_ms(started_ns: int) -> float:
    return (time.perf_counter_ns() - started_ns) / 1e6


async def _rows(connection: asyncpg.Connection) -> None:
    await connection.execute(INSERT, "one", 1)
    assert await connection.fetchval(COUNT) == 1


async def _raw_test(connection: asyncpg.Connection) -> float:
    started_ns = time.perf_counter_ns()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(USERS)
    await _rows(connection)
    await transaction.rollback()
    return _since_ms(started_ns)


async def _raw_begin(connection: asyncpg.Connection) -> float:
    transaction = connection.transaction()
    started_ns = time.perf_counter_ns()
    await transaction.start()
    elapsed_ms = _since_ms(started_ns)
    await transaction.rollback()
    return elapsed_ms


async def _raw_rollback(connection: asyncpg.Connection) -> float:
    transaction = connection.transaction()
    await transaction.start()
    started_ns = time.perf_counter_ns()
    await transaction.rollback()
    return _since_ms(started_ns)


async def _raw_round_trip(connection: asyncpg.Connection) -> float:
    started_ns = time.perf_counter_ns()
    await connection.fetchval("SELECT 1")
    return _since_ms(started_ns)


async def _raw_schema(connection: asyncpg.Connection) -> float:
    transaction = connection.transaction()
    await transaction.start()
    started_ns = time.perf_counter_ns()
    await connection.execute(ORDERS)
    elapsed_ms = _since_ms(started_ns)
    await transaction.rollback()
    return elapsed_ms


async def _individual_test() -> float:
    started_ns = time.perf_counter_ns()
    async with tdd_test_context("individual_test") as context:
        await context.connection.execute(USERS)
        await _rows(context.connection)
    return _since_ms(started_ns)


async def _individual_test_cached() -> float:
    started_ns = time.perf_counter_ns()
    async with tdd_test_context("individual_test_cached", SCHEMA) as context:
        await _rows(context.connection)
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


async def _schema_operation_cached() -> float:
    """The whole set-up of the context: more than what the tables add to it, so never too little."""
    async with tdd_test_context("schema_operation_cached", SCHEMA) as context:
        assert await context.connection.fetchval("SELECT count(*) FROM bench_orders") == 0
    return context.timings.context_setup_ms


async def _test_cleanup() -> float:
    async with tdd_test_context("test_cleanup") as context:
        pass
    return context.timings.test_cleanup_ms
