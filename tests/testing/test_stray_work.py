"""What a test leaves running cannot touch the next test, although that has the same connection."""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tdd_monitor.testing import tdd_test_context
from tdd_monitor.testing.connections.proxy import ConnectionProxy

from .conftest import Look, Run

OVER = "^the test has ended, and its connection with it"

Use = Callable[[], Awaitable[Any]]


async def _transaction(connection: Any) -> Use:
    transaction = connection.transaction()
    use: Use = transaction.start
    return use


async def _left_transaction(connection: Any) -> Use:
    transaction = connection.transaction()
    await transaction.start()
    use: Use = transaction.commit
    return use


async def _statement(connection: Any) -> Use:
    statement = await connection.prepare("SELECT 1")
    use: Use = statement.fetchval
    return use


async def _cursor(connection: Any) -> Use:
    transaction = connection.transaction()
    await transaction.start()
    cursor = await connection.cursor("SELECT generate_series(1, 9)")
    use: Use = cursor.fetchrow
    return use


async def _bound_method(connection: Any) -> Use:
    commit = connection.execute
    return lambda: commit("COMMIT")


async def _coroutine_that_has_not_begun(connection: Any) -> Use:
    commit = connection.execute("COMMIT")
    return lambda: commit


async def _copy(connection: Any) -> Use:
    return lambda: connection.copy_records_to_table("nowhere", records=[(1,)])


async def _private(connection: Any) -> Use:
    return lambda: connection._protocol.query("COMMIT", None)


KEEPERS = [
    *(_transaction, _left_transaction, _statement, _cursor, _bound_method),
    *(_coroutine_that_has_not_begun, _copy, _private),
]


@pytest.mark.parametrize("keep", KEEPERS)
async def test_whatever_was_kept_refuses_in_the_next_test(
    keep: Callable[[Any], Awaitable[Use]], look: Look
) -> None:
    async with tdd_test_context("the test") as context:
        backend = context.connection.get_server_pid()
        use = await keep(context.connection)
    async with tdd_test_context("the next test") as context:
        assert context.connection.get_server_pid() == backend
        await context.connection.execute("CREATE TABLE lasting (i int)")
        with pytest.raises(asyncpg.InterfaceError, match=OVER):
            await use()
        assert await context.connection.fetchval("SELECT count(*) FROM lasting") == 0
    assert await look("SELECT to_regclass('lasting')") is None


async def test_after_its_test_a_connection_counts_as_closed_for_cleanup_code() -> None:
    async with tdd_test_context("the test") as context:
        connection = context.connection
        assert not connection.is_closed()
    assert connection.is_closed()
    await connection.close()
    connection.terminate()
    async with tdd_test_context() as context:
        assert await context.connection.fetchval("SELECT 1") == 1


async def test_it_is_a_connection_like_any_other() -> None:
    async with tdd_test_context("the test") as context:
        connection = context.connection
        assert isinstance(connection, asyncpg.Connection)
        async with connection.transaction():
            assert [row[0] async for row in connection.cursor("SELECT generate_series(1, 3)")] == [1, 2, 3]
        statement = await connection.prepare("SELECT $1::int")
        assert await statement.fetchval(7) == 7
        with pytest.raises(AttributeError):
            _ = connection.no_such_thing


def test_it_has_every_method_and_each_is_of_the_same_kind() -> None:
    for name, method in inspect.getmembers(asyncpg.Connection, inspect.isfunction):
        if not name.startswith("_"):
            ours = getattr(ConnectionProxy, name)
            assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(method), name
            assert [*inspect.signature(ours).parameters] == [*inspect.signature(method).parameters], name


async def test_a_listener_gets_the_connection_that_the_test_has(look: Look) -> None:
    heard: asyncio.Queue[object] = asyncio.Queue()
    async with tdd_test_context() as context:
        context.connection.add_log_listener(lambda connection, _: heard.put_nowait(connection))
        await context.connection.execute("DO $$ BEGIN RAISE WARNING 'heard'; END $$")
        assert await heard.get() is context.connection


STRAY = """
import asyncio, pytest
started = {}

async def stray(connection, started):
    await started["next"].wait()
    try:
        await connection.execute("CREATE TABLE poison (i int); COMMIT")
    except Exception as error:
        started["error"] = error
    started["over"].set()

@pytest.mark.asyncio(loop_scope="module")
async def test_leaves_a_task(tdd_test_context):
    started.update(next=asyncio.Event(), over=asyncio.Event())
    started["task"] = asyncio.create_task(stray(tdd_test_context.connection, started))
    await asyncio.sleep(0)

@pytest.mark.asyncio(loop_scope="module")
async def test_next(tdd_test_context):
    started["next"].set()
    await started["over"].wait()
    assert await tdd_test_context.connection.fetchval("SELECT to_regclass('poison')") is None
    assert "test_it.py::test_leaves_a_task has ended" in str(started["error"])
"""


@pytest.mark.usefixtures("unraisable_reported")
def test_a_stray_task_does_not_affect_the_next_test(run_pytest: Run) -> None:
    loop_scope = ("-o", "asyncio_default_fixture_loop_scope=function")
    result = run_pytest("-W", "error", *loop_scope, test_it=STRAY)
    assert "2 passed" in result.stdout, result.stdout


def test_a_thread_that_a_plain_test_has_left_is_refused() -> None:
    psycopg = pytest.importorskip("psycopg")
    from tdd_monitor.testing import tdd_sync_context

    refused: list[Exception] = []

    def use(work: Callable[[], Any]) -> None:
        try:
            work()
        except psycopg.OperationalError as error:
            refused.append(error)

    with tdd_sync_context("the test") as context:
        connection, backend = context.connection, context.connection.info.backend_pid
        cursor, transaction = connection.cursor(), connection.transaction()
        joined = context.join()
        cursor_of_joined = joined.cursor()
    with tdd_sync_context("the next test") as context:
        assert context.connection.info.backend_pid == backend
        context.connection.execute("CREATE TABLE lasting (i int)")
        for work in (
            lambda: connection.execute("COMMIT"),
            lambda: cursor.execute("COMMIT"),
            transaction.__enter__,
            lambda: joined.execute("COMMIT"),
            lambda: cursor_of_joined.execute("COMMIT"),
            joined.commit,
            connection.commit,
        ):
            thread = threading.Thread(target=use, args=(work,))
            thread.start()
            thread.join()
        assert context.connection.execute("SELECT count(*) FROM lasting").fetchone() == (0,)
    assert len(refused) == 7
    assert all(str(error).startswith("the test has ended") for error in refused), refused
