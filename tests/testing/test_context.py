"""The context itself: nesting, concurrency, timings, warm connections."""

import asyncio
import contextlib
import gc
import os
import warnings
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tdd_monitor import plugin
from tdd_monitor.testing import TDDTestContext, get_database_manager, tdd_test_context
from tdd_monitor.testing.connections.warm import TESTS_PER_CONNECTION
from tdd_monitor.testing.databases.by_schema import FOR_ALL_TESTS

from .conftest import Look


async def test_the_fixture_gives_an_open_connection_inside_a_transaction(tdd_test_context: Any) -> None:
    assert tdd_test_context.connection.is_in_transaction()
    assert isinstance(tdd_test_context.connection, asyncpg.Connection)
    assert tdd_test_context.test_id.endswith(
        "::test_the_fixture_gives_an_open_connection_inside_a_transaction"
    )


async def test_the_context_reports_its_resources_and_timings() -> None:
    async with tdd_test_context("opens a connection") as context:
        pass
    assert context.timings.connection_open_ms > context.timings.connection_acquire_ms == 0
    async with tdd_test_context(test_id="x") as context:
        backend = context.connection.get_server_pid()
    assert context.test_id == "x"
    assert context.allocated[0] == f"backend {backend}"
    assert context.allocated[1].startswith("database tdd_")
    assert context.timings.context_setup_ms > context.timings.connection_acquire_ms > 0
    assert context.timings.connection_open_ms == 0
    assert context.timings.test_cleanup_ms > 0


async def test_without_a_name_the_context_has_that_of_the_running_test() -> None:
    assert tdd_test_context().test_id.endswith(
        "::test_without_a_name_the_context_has_that_of_the_running_test"
    )


async def test_the_connection_is_refused_outside_of_the_context() -> None:
    context = tdd_test_context("x")
    with pytest.raises(RuntimeError, match="context of x is not open"):
        _ = context.connection
    async with context:
        pass
    with pytest.raises(RuntimeError, match="not open"):
        _ = context.connection


async def test_a_context_within_a_context_sees_it_and_is_undone_alone() -> None:
    async with tdd_test_context("outer") as outer:
        await outer.connection.execute(
            "CREATE TEMP TABLE seen (name text); INSERT INTO seen VALUES ('outer')"
        )
        for _ in range(2):
            async with tdd_test_context("inner") as inner:
                assert inner.connection is outer.connection
                await inner.connection.execute("INSERT INTO seen VALUES ('inner')")
                async with tdd_test_context("innermost") as innermost:
                    await innermost.connection.execute("INSERT INTO seen VALUES ('innermost')")
                assert await inner.connection.fetchval("SELECT count(*) FROM seen") == 2
        assert await outer.connection.fetchval("SELECT string_agg(name, ',') FROM seen") == "outer"


async def test_an_aborted_inner_context_leaves_the_outer_one_usable() -> None:
    async with tdd_test_context("outer") as outer:
        async with tdd_test_context("inner") as inner:
            with pytest.raises(asyncpg.DivisionByZeroError):
                await inner.connection.execute("SELECT 1/0")
        assert await outer.connection.fetchval("SELECT 1") == 1


async def test_a_context_in_the_test_nests_in_that_of_the_fixture(tdd_test_context: TDDTestContext) -> None:
    await tdd_test_context.connection.execute("CREATE TEMP TABLE seen (i int)")
    async with TDDTestContext("inner") as inner:
        assert inner.connection is tdd_test_context.connection


async def test_contexts_of_several_tasks_have_connections_of_their_own(
    tdd_test_context: TDDTestContext,
) -> None:
    ready = asyncio.Barrier(10)

    async def backend() -> int:
        async with TDDTestContext("one of ten") as context:
            await ready.wait()
            pid = await context.connection.fetchval("SELECT pg_backend_pid()")
            return int(pid)

    backends = await asyncio.gather(*(backend() for _ in range(10)))
    assert len({*backends, tdd_test_context.connection.get_server_pid()}) == 11


async def test_the_manager_can_be_used_by_hand(look: Look) -> None:
    manager = get_database_manager()
    await manager.initialize()
    context = TDDTestContext(test_id="by hand")
    connection = await manager.get_test_connection(context)
    await connection.execute("CREATE TABLE by_hand (i int)")
    await manager.cleanup_test_connection(context)
    assert await look("SELECT to_regclass('by_hand')") is None


async def test_a_connection_is_replaced_when_it_has_served_long_enough() -> None:
    async with tdd_test_context() as context:
        connection = context.connection
        connection.tests = TESTS_PER_CONNECTION
    assert connection.is_closed()
    async with tdd_test_context() as context:
        assert context.connection is not connection


async def test_a_second_loop_gets_a_connection_of_its_own_which_ends_with_it(look: Look) -> None:
    async def backend() -> int:
        async with tdd_test_context() as context:
            return int(context.connection.get_server_pid())

    async with tdd_test_context() as context:
        other = await asyncio.to_thread(asyncio.run, backend())
        assert other != context.connection.get_server_pid()
    assert await look("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", other) == 0


async def test_a_loop_that_is_closed_over_its_connections_does_no_harm() -> None:
    def enter_and_forget() -> None:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(TDDTestContext("forgotten").__aenter__())
        loop.close()

    await asyncio.to_thread(enter_and_forget)
    async with tdd_test_context() as context:
        assert await context.connection.fetchval("SELECT 1") == 1


async def test_measurements_go_into_the_stream_of_a_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, float] = {}

    class Monitor:
        def record_metric(self, name: str, value: float) -> None:
            sent[name] = value

        def shared_work(self, name: str) -> contextlib.AbstractContextManager[None]:
            sent[name] = sent.get(name, 0) + 1
            return contextlib.nullcontext()

        def use_shared_work(self, name: str) -> None:
            sent["users of " + name] = 1

    monkeypatch.setattr(plugin, "_recorder", Monitor())
    async with tdd_test_context("x", "CREATE TABLE measured (i int)") as context:
        pass
    # The database is made for all tests; the connection is the test's own, because its loop is.
    assert sent[FOR_ALL_TESTS] == 1 and sent["users of " + FOR_ALL_TESTS] == 1
    own_ms = context.timings.context_setup_ms - context.timings.database_made_ms
    assert sent["context_setup_ms"] == pytest.approx(own_ms)
    assert not {"database_made_ms", "schema_operation_ms"} & set(sent)
    assert {"connection_open_ms", "test_cleanup_ms", "schema_cached"} <= set(sent)
    assert sent["schema_cached"] in (0, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
async def test_a_forked_child_has_a_manager_of_its_own_and_leaves_ours_alone(tmp_path: Path) -> None:
    manager = get_database_manager()
    async with tdd_test_context() as context:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
            pid = os.fork()
        if pid == 0:
            gc.collect()
            (tmp_path / "said").write_text(str(get_database_manager() is manager))
            os._exit(0)
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it does nothing long
        assert (tmp_path / "said").read_text() == "False"
        assert get_database_manager() is manager
        assert await context.connection.fetchval("SELECT 1") == 1
