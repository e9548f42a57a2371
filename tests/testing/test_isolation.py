"""Nothing of a test survives it. A second connection looks, after the context is closed."""

import asyncio
import contextlib

import asyncpg
import pytest

from tdd_monitor.testing import IsolationWarning, tdd_test_context
from tdd_monitor.testing.connections.asyncpg import ContextConnection
from tdd_monitor.testing.connections.isolation import Ending

from .conftest import Look

GUESTS = "SELECT string_agg(name, ',') FROM guests"
IDLE_IN_TRANSACTION = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
)


async def test_rows_and_tables_are_gone_afterwards(guests: str, look: Look) -> None:
    async with tdd_test_context() as context:
        await context.connection.execute("INSERT INTO guests VALUES ('Eve'); CREATE TABLE more (i int)")
        await context.connection.execute("CREATE TYPE mood AS ENUM ('ok'); CREATE SCHEMA annexe")
    assert await look(GUESTS) == "Ada"
    assert await look("SELECT to_regclass('more')") is None
    assert await look("SELECT count(*) FROM pg_namespace WHERE nspname = 'annexe'") == 0


async def test_a_temporary_table_is_gone_although_the_connection_stays() -> None:
    backends = set()
    for columns in ("i int", "i text, j int"):
        async with tdd_test_context() as context:
            await context.connection.execute(f"CREATE TEMP TABLE scratch ({columns})")
            await context.connection.fetch("SELECT * FROM scratch")
            backends.add(context.connection.get_server_pid())
    assert len(backends) == 1


async def test_an_error_in_the_body_rolls_back_and_goes_on(guests: str, look: Look) -> None:
    with pytest.raises(ZeroDivisionError):
        async with tdd_test_context() as context:
            await context.connection.execute("INSERT INTO guests VALUES ('Eve')")
            raise ZeroDivisionError
    assert await look(GUESTS) == "Ada"


async def test_an_aborted_transaction_is_rolled_back(guests: str, look: Look) -> None:
    async with tdd_test_context() as context:
        await context.connection.execute("INSERT INTO guests VALUES ('Eve')")
        with pytest.raises(asyncpg.UndefinedTableError):
            await context.connection.execute("SELECT * FROM nowhere")
    assert await look(GUESTS) == "Ada"
    assert await look(IDLE_IN_TRANSACTION) == 0


async def test_a_nested_transaction_that_commits_is_rolled_back(guests: str, look: Look) -> None:
    async with tdd_test_context() as context:
        async with context.connection.transaction():
            await context.connection.execute("INSERT INTO guests VALUES ('Eve')")
        with pytest.raises(ZeroDivisionError):
            async with context.connection.transaction():
                await context.connection.execute("INSERT INTO guests VALUES ('Mallory')")
                raise ZeroDivisionError
        assert await context.connection.fetchval(GUESTS) == "Ada,Eve"
    assert await look(GUESTS) == "Ada"


async def test_a_nested_transaction_that_is_left_open_is_rolled_back(guests: str, look: Look) -> None:
    async with tdd_test_context() as context:
        await context.connection.transaction().start()
        await context.connection.execute("INSERT INTO guests VALUES ('Eve')")
    assert await look(GUESTS) == "Ada"


@pytest.mark.parametrize(
    "escape",
    [
        *("COMMIT", "ROLLBACK", "COMMIT; BEGIN", "ROLLBACK; BEGIN; SELECT 1/0", "END AND CHAIN"),
        "COMMIT; BEGIN; SAVEPOINT tdd_monitor; SAVEPOINT tdd_monitor_0",
    ],
)
async def test_a_test_that_ends_its_transaction_is_reported_and_cleaned_up(escape: str, look: Look) -> None:
    with pytest.warns(IsolationWarning, match="^the test ended the transaction"):
        async with tdd_test_context("the test") as context:
            await context.connection.execute("CREATE TABLE lasting (i int)")
            try:
                await context.connection.execute(escape)
            except asyncpg.PostgresError:
                pass
            else:
                await context.connection.execute("CREATE TABLE lasting_too (i int)")
    assert await look("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'lasting%'") == 0
    async with tdd_test_context() as context:
        assert await context.connection.fetchval("SELECT to_regclass('lasting')") is None


async def test_the_database_is_recreated_only_when_no_other_context_is_in_it() -> None:
    async with tdd_test_context("other") as other:

        async def commit() -> None:
            async with tdd_test_context("the test") as context:
                await context.connection.execute("COMMIT")

        with pytest.warns(IsolationWarning):
            await asyncio.create_task(commit())
        assert await other.connection.fetchval("SELECT 1") == 1


async def test_a_cancelled_test_leaves_nothing(guests: str, look: Look) -> None:
    entered = asyncio.Event()

    async def insert_and_wait() -> None:
        async with tdd_test_context() as context:
            await context.connection.execute("INSERT INTO guests VALUES ('Eve')")
            entered.set()
            await context.connection.execute("SELECT pg_sleep(30)")

    task = asyncio.create_task(insert_and_wait())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await look(GUESTS) == "Ada"
    await look("INSERT INTO guests VALUES ('Eve')")  # would wait for a lock that is still held


async def test_a_timed_out_test_leaves_nothing(guests: str, look: Look) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), tdd_test_context() as context:
            await context.connection.execute("INSERT INTO guests VALUES ('Eve')")
            await context.connection.execute("SELECT pg_sleep(30)")
    await look("INSERT INTO guests VALUES ('Eve')")


async def test_cancelled_twice_during_the_roll_back_leaves_nothing(guests: str, look: Look) -> None:
    async def insert() -> None:
        async with tdd_test_context() as context:
            await context.connection.execute("INSERT INTO guests VALUES ('Eve')")
            entered.set()
            await asyncio.Event().wait()

    entered = asyncio.Event()
    task = asyncio.create_task(insert())
    await entered.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await look("SELECT to_regclass('guests')") is None  # recreated, to be sure


async def test_a_query_that_is_not_awaited_is_stopped_and_reported(guests: str, look: Look) -> None:
    with pytest.warns(IsolationWarning, match="^the test ended while one of its queries was still running"):
        async with tdd_test_context("the test") as context:
            await context.connection.execute("INSERT INTO guests VALUES ('Eve')")
            query = asyncio.create_task(context.connection.execute("SELECT pg_sleep(30)"))
            await asyncio.sleep(0)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await query
    assert await look("SELECT to_regclass('guests')") is None  # recreated, to be sure


@pytest.mark.parametrize("before", ["SELECT 1", "COMMIT", "COMMIT; BEGIN"])
async def test_a_killed_backend_is_replaced(before: str, look: Look) -> None:
    async with tdd_test_context() as context:
        await context.connection.execute(f"CREATE TABLE lasting (i int); {before}")
        killed = context.connection.get_server_pid()
        with pytest.raises(asyncpg.PostgresError):
            await context.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await look("SELECT to_regclass('lasting')") is None
    async with tdd_test_context() as context:
        assert context.connection.get_server_pid() != killed


async def test_a_waiting_connection_that_was_killed_is_replaced(look: Look) -> None:
    async with tdd_test_context() as context:
        backend = context.connection.get_server_pid()
    await look("SELECT pg_terminate_backend($1, 5000)", backend)
    async with tdd_test_context() as context:
        assert await context.connection.fetchval("SELECT 1") == 1


async def test_a_connection_lost_at_the_end_of_its_test_is_replaced(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_test = ContextConnection.end_test

    async def end_and_lose(connection: ContextConnection) -> Ending:
        ending = await end_test(connection)
        await look("SELECT pg_terminate_backend($1, 5000)", connection.backend)
        while not connection.is_closed():
            await asyncio.sleep(0)
        return ending

    async with tdd_test_context() as context:
        assert context.checked_out is not None
        context.checked_out.connection.tests = 2  # after its second test it is prepared for many more
        monkeypatch.setattr(ContextConnection, "end_test", end_and_lose)
    monkeypatch.undo()
    async with tdd_test_context() as context:
        assert await context.connection.fetchval("SELECT 1") == 1


async def test_a_connection_that_the_test_closes_is_replaced(guests: str, look: Look) -> None:
    async with tdd_test_context() as context:
        await context.connection.execute("INSERT INTO guests VALUES ('Eve')")
        await context.connection.close()
    assert await look(GUESTS) == "Ada"
    async with tdd_test_context() as context:
        assert await context.connection.fetchval("SELECT 1") == 1


async def test_closing_does_not_hide_a_commit(look: Look) -> None:
    with pytest.warns(IsolationWarning, match="^the test ended the transaction"):
        async with tdd_test_context("the test") as context:
            await context.connection.execute("CREATE TABLE lasting (i int); COMMIT; BEGIN")
            await context.connection.close()
    assert await look("SELECT to_regclass('lasting')") is None


async def test_settings_and_search_path_are_as_before() -> None:
    show = (
        "SELECT current_setting('search_path') || current_setting('work_mem') || session_user || current_user"
    )
    seen = set()
    for _ in range(2):
        async with tdd_test_context() as context:
            seen.add((await context.connection.fetchval(show), context.connection.get_server_pid()))
            await context.connection.execute("SET search_path = pg_catalog; SET work_mem = '9MB'")
            await context.connection.execute("SET ROLE pg_monitor; SET SESSION AUTHORIZATION pg_monitor")
    assert len(seen) == 1


async def test_prepared_statements_cursors_and_advisory_locks_are_gone(look: Look) -> None:
    async with tdd_test_context() as context:
        backend = context.connection.get_server_pid()
        await context.connection.execute("PREPARE named AS SELECT 1")
        statement = await context.connection.prepare("SELECT 2")
        assert await statement.fetchval() == 2
        await context.connection.execute("DECLARE held CURSOR WITH HOLD FOR SELECT 1")
        await context.connection.execute("SELECT pg_advisory_lock(4711), pg_advisory_xact_lock(4712)")
    assert await look("SELECT pg_try_advisory_lock(4711) AND pg_try_advisory_lock(4712)")
    async with tdd_test_context() as context:
        assert context.connection.get_server_pid() == backend
        assert await context.connection.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0
        assert await context.connection.fetchval("SELECT count(*) FROM pg_cursors WHERE name = 'held'") == 0


async def test_locks_are_gone_after_every_test_of_a_connection(look: Look) -> None:
    backends = set()
    for harm in ("SELECT 1", "SELECT 2", "SELECT 3", "DISCARD TEMP", "SELECT 1/0", "SET ROLE pg_monitor"):
        async with tdd_test_context() as context:
            backends.add(context.connection.get_server_pid())
            await context.connection.execute("SELECT pg_advisory_lock(4711), pg_advisory_lock(4711)")
            with contextlib.suppress(asyncpg.DivisionByZeroError):
                await context.connection.execute(harm)
        assert await look("SELECT pg_try_advisory_lock(4711)"), harm
    assert len(backends) == 1


async def test_listeners_are_gone_and_can_be_added_again() -> None:
    def ignore(*said: object) -> None: ...

    for _ in range(2):
        heard: list[object] = []
        async with tdd_test_context() as context:
            await context.connection.add_listener("news", ignore)
            assert await context.connection.fetch("SELECT pg_listening_channels()") == []
            context.connection.add_log_listener(ignore)
            context.connection.add_query_logger(heard.append)
            await context.connection.execute("NOTIFY news")
            await asyncio.sleep(0)
            assert len(heard) == 1  # of this round's logger, not the last one's


async def test_a_codec_does_not_reach_the_next_test() -> None:
    for _ in range(2):
        async with tdd_test_context() as context:
            assert await context.connection.fetchval("SELECT '[1]'::json") == "[1]"
            await context.connection.set_type_codec(
                "json", encoder=str, decoder=lambda text: "changed", schema="pg_catalog"
            )
            assert await context.connection.fetchval("SELECT '[1]'::json") == "changed"


async def test_sequences_go_on_as_postgresql_documents(look: Look) -> None:
    await look("CREATE SEQUENCE ticket")
    for expected in (1, 2):
        async with tdd_test_context() as context:
            assert await context.connection.fetchval("SELECT nextval('ticket')") == expected
    await look("DROP SEQUENCE ticket")
