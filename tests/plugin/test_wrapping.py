"""What the plugin wraps behaves as before: kind, signature, moment of raising, what it leaves behind."""

import subprocess
from collections import Counter
from pathlib import Path

from plugin.conftest import Suite
from plugin.harness import environment, run_pytest
from tdd_monitor.protocol.events import WarningRaised

EVERY_NAME = """
    import inspect
    import types

    import aiosqlite, asyncpg, psycopg, psycopg2, psycopg_pool, sqlalchemy, sqlite3
    import pytest
    from tdd_monitor.plugin.observe import wrapping

    FORMS = [getattr(inspect, name) for name in dir(inspect) if name.startswith("is")]
    ARGUMENTS = [(), (1,), (1, 2), (1, 2, 3)]


    class Odd(Exception): pass
    class Owner:
        def __getattr__(self, name): raise Odd(name)


    def forms(function): return {form.__name__ for form in FORMS if form(function)}
    def name_of(hook):
        module = getattr(hook.owner, "__module__", hook.owner.__name__)
        return f"{module}:{hook.owner.__name__}.{hook.name}"
    def parameters(function):
        signature = inspect.signature(function, follow_wrapped=False)
        return [(each.name, each.kind, each.default) for each in signature.parameters.values()]
    def signature(function):
        try: return inspect.signature(function)
        except ValueError as error: return str(error).partition("<")[0]  # of some that are written in C
    def moment(function, arguments):
        # When, and how, it fails for an owner that it can do nothing with.
        when = "at the call"
        try:
            result = function(Owner(), *arguments)
            when = f"in the {type(result).__name__}"
            if inspect.iscoroutine(result): result.send(None)
            elif inspect.isgenerator(result): next(result)
            elif inspect.isasyncgen(result): result.__anext__().send(None)
            elif hasattr(result, "__aenter__"): result.__aenter__().send(None)
            elif hasattr(result, "__enter__"): result.__enter__()
        except BaseException as error:
            return when, type(error), str(error)
        return when, None, ""


    @pytest.mark.parametrize("hook", wrapping.replaced, ids=name_of)
    def test_name(hook):
        now = getattr(hook.owner, hook.name)
        assert now is not hook.original
        assert signature(now) == signature(hook.original)
        assert forms(now) == forms(hook.original) or type(hook.original) is types.BuiltinFunctionType
        assert (now.__name__, now.__qualname__) == (hook.original.__name__, hook.original.__qualname__)
        assert (now.__module__, now.__doc__) == (hook.original.__module__, hook.original.__doc__)
        if type(hook.original) is types.FunctionType:
            assert parameters(now) == parameters(hook.original)
        for arguments in ARGUMENTS:
            assert moment(now, arguments) == moment(hook.original, arguments)
"""
REAL = """
    import asyncio, gc, os, warnings

    import asyncpg, psycopg, psycopg_pool, pytest
    from psycopg.pq import TransactionStatus

    URL = os.environ["TEST_DATABASE"]
    ROWS = "SELECT generate_series(1, 1000)"
    COPY = "COPY (SELECT generate_series(1, 1000)) TO STDOUT"


    @pytest.fixture
    def run():
        loop = asyncio.new_event_loop()
        yield loop.run_until_complete
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    def test_a_released_statement_raises_at_the_call(run):
        async def go():
            async with asyncpg.create_pool(URL, min_size=1, max_size=1) as pool:
                async with pool.acquire() as connection: statement = await connection.prepare("SELECT 1")
                for method in (statement.fetch, statement.fetchval, statement.fetchrow):
                    message = rf"{method.__name__}.*released back"
                    with pytest.raises(asyncpg.InterfaceError, match=message): method()
        run(go())
    def test_one_warning_of_what_nobody_awaited(run):
        async def go():
            connection = await asyncpg.connect(URL)
            statement = await connection.prepare("SELECT 1")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                statement.fetchval()
                connection.fetchval("SELECT 1")
                gc.collect()
            await connection.close()
            return [str(warning.message) for warning in caught]
        names = ["PreparedStatement.fetchval", "Connection.fetchval"]
        assert run(go()) == [f"coroutine '{name}' was never awaited" for name in names]
    def test_wrong_arguments_raise_at_the_call(run):
        async def go():
            connection = await asyncpg.connect(URL)
            with pytest.raises(TypeError, match="query"): connection.execute()
            await connection.close()
            connection = await psycopg.AsyncConnection.connect(URL)
            with pytest.raises(TypeError, match="query"): connection.cursor().stream()
            await connection.close()
        run(go())
    def is_free(connection):
        return connection.info.transaction_status != TransactionStatus.ACTIVE
    def test_a_closed_async_stream_leaves_the_connection_free(run):
        async def go():
            async with await psycopg.AsyncConnection.connect(URL) as connection:
                rows = connection.cursor().stream(ROWS)
                assert await rows.__anext__() == (1,)
                await rows.aclose()
                assert is_free(connection) and not connection.lock.locked()
        run(go())
    def test_an_async_stream_that_was_left(run):
        async def go():
            async with await psycopg.AsyncConnection.connect(URL) as connection:
                async for row in connection.cursor().stream(ROWS): break
                await asyncio.wait_for(connection.lock.acquire(), 20)
                connection.lock.release()
                assert is_free(connection)
        run(go())
    def test_an_error_thrown_into_an_async_stream(run):
        async def go():
            async with await psycopg.AsyncConnection.connect(URL) as connection:
                rows = connection.cursor().stream(ROWS)
                await rows.__anext__()
                with pytest.raises(ZeroDivisionError): await rows.athrow(ZeroDivisionError("here"))
                assert is_free(connection) and not connection.lock.locked()
        run(go())
    def test_the_loop_closes_an_async_stream_once(run):
        errors = []
        async def go():
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
            connection = await psycopg.AsyncConnection.connect(URL)
            rows = connection.cursor().stream(ROWS)
            await rows.__anext__()
            await asyncio.get_running_loop().shutdown_asyncgens()
            assert is_free(connection) and not connection.lock.locked()
            await connection.close()
        run(go())
        assert errors == []
    @pytest.mark.parametrize("leave", ["close", "break", "throw"])
    def test_a_stream(leave):
        # On a connection of its own: psycopg's late cancellation may hit the next statement.
        with psycopg.connect(URL) as connection:
            rows = connection.cursor().stream(ROWS)
            if leave == "break":
                for row in rows: break
                del rows
            else:
                assert next(rows) == (1,)
                if leave == "close": rows.close()
                else:
                    with pytest.raises(ZeroDivisionError): rows.throw(ZeroDivisionError("here"))
            assert is_free(connection) and not connection.lock.locked()
    def test_copies(run):
        def sync():
            with psycopg.connect(URL) as connection:
                with pytest.raises(TypeError): connection.cursor().copy()
                with connection.cursor().copy(COPY) as copy:
                    assert len(list(copy.rows())) == 1000
                assert is_free(connection)
                with pytest.raises(psycopg.Error):
                    with connection.cursor().copy("COPY nothing FROM STDIN"): pass
                connection.rollback()
        async def go():
            async with await psycopg.AsyncConnection.connect(URL) as connection:
                with pytest.raises(TypeError): connection.cursor().copy()
                async with connection.cursor().copy(COPY) as copy:
                    assert len([row async for row in copy.rows()]) == 1000
                assert is_free(connection) and not connection.lock.locked()
        sync()
        run(go())
"""
DRIVERS = {"asyncpg", "psycopg", "psycopg2", "psycopg_pool", "sqlalchemy", "sqlite3", "aiosqlite"}


def test_every_wrapped_name_of_every_driver(suite: Suite, newest: str) -> None:
    run = run_pytest(suite(test_every=EVERY_NAME), "--tb=short", python=newest)
    assert run.exitcode == 0, run.output
    wrapped = Counter(
        record.nodeid.partition("[")[2].partition(":")[0].partition(".")[0] for record in run.records
    )
    assert wrapped.keys() >= DRIVERS and wrapped["asyncpg"] >= 18 and wrapped["psycopg"] >= 14, wrapped


def outcomes(directory: Path, python: str, database: str) -> str:
    """The summary of a plain pytest."""
    process = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=directory,
        env=environment(TEST_DATABASE=database),
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout


def test_drivers_behave_as_they_do_without_us(suite: Suite, database: str, newest: str) -> None:
    directory = suite(test_real=REAL)
    plain = outcomes(directory, newest, database)
    assert " passed" in plain and "failed" not in plain, plain
    run = run_pytest(directory, "--tb=short", python=newest, env={"TEST_DATABASE": database})
    assert run.exitcode == 0, run.output
    assert not [warning for warning in run.events(WarningRaised) if "cannot be measured" in warning.message]
    assert run.pool("::test_a_closed_async_stream_leaves_the_connection_free", "psycopg").queries == 1
