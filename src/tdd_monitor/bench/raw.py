"""The benchmark's operations on raw asyncpg; each returns its time in milliseconds."""

import time
from collections.abc import Awaitable, Callable

import asyncpg

from tdd_monitor.testing.benchmark.benchmark import RECORDS_DDL, USERS_DDL, since_ms, use_users

RawSample = Callable[[asyncpg.Connection], Awaitable[float]]


async def whole_test(connection: asyncpg.Connection) -> float:
    """BEGIN, CREATE TABLE, INSERT, SELECT, ROLLBACK."""
    started_ns = time.perf_counter_ns()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(USERS_DDL)
    await use_users(connection)
    await transaction.rollback()
    return since_ms(started_ns)


async def begin(connection: asyncpg.Connection) -> float:
    """BEGIN."""
    transaction = connection.transaction()
    started_ns = time.perf_counter_ns()
    await transaction.start()
    elapsed_ms = since_ms(started_ns)
    await transaction.rollback()
    return elapsed_ms


async def rollback(connection: asyncpg.Connection) -> float:
    """ROLLBACK."""
    transaction = connection.transaction()
    await transaction.start()
    started_ns = time.perf_counter_ns()
    await transaction.rollback()
    return since_ms(started_ns)


async def create_table(connection: asyncpg.Connection) -> float:
    """CREATE TABLE in a transaction."""
    transaction = connection.transaction()
    await transaction.start()
    started_ns = time.perf_counter_ns()
    await connection.execute(RECORDS_DDL)
    elapsed_ms = since_ms(started_ns)
    await transaction.rollback()
    return elapsed_ms
