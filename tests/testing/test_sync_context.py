"""Plain tests on psycopg: the same isolation, with commits in code under test."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

psycopg = pytest.importorskip("psycopg")

from tdd_monitor.testing import IsolationWarning, TDDSyncContext, get_database_manager, tdd_sync_context  # noqa: E402

from .conftest import Run  # noqa: E402
from .test_schemas import unique  # noqa: E402

GUESTS = "SELECT string_agg(name, ',') FROM guests"

See = Callable[[str], Any]


@pytest.fixture
def see() -> See:
    """Ask the database of this process something, on another connection."""

    def ask(query: str) -> Any:
        with psycopg.connect(get_database_manager().database().url, autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchone()[0] if cursor.description else None

    return ask


@pytest.fixture
def guests(see: See) -> Iterator[str]:
    """A table with one committed row."""
    see("CREATE TABLE guests (name text UNIQUE)")
    see("INSERT INTO guests VALUES ('Ada')")
    yield "guests"
    see("DROP TABLE IF EXISTS guests")


def test_rows_tables_and_settings_are_gone_afterwards(guests: str, see: See) -> None:
    backends = set()
    for _ in range(3):
        with tdd_sync_context() as context:
            backends.add(context.connection.info.backend_pid)
            assert context.connection.execute("SHOW work_mem").fetchone() == ("4MB",)
            context.connection.execute("INSERT INTO guests VALUES ('Eve')")
            context.connection.execute("CREATE TEMP TABLE scratch (i int); SET work_mem = '9MB'")
            context.connection.execute("PREPARE named AS SELECT 1")
            context.connection.execute("SELECT pg_advisory_lock(4811)")
    assert see(GUESTS) == "Ada"
    assert see("SELECT pg_try_advisory_lock(4811)")
    assert len(backends) == 1


def test_commit_and_roll_back_work_as_in_production_and_are_undone(guests: str, see: See) -> None:
    with tdd_sync_context() as context:
        connection = context.connection
        connection.execute("INSERT INTO guests VALUES ('Eve')")
        connection.commit()
        connection.execute("INSERT INTO guests VALUES ('Mallory')")
        connection.rollback()
        with connection.transaction():
            connection.execute("INSERT INTO guests VALUES ('Bob')")
        assert connection.execute(GUESTS).fetchone() == ("Ada,Eve,Bob",)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO guests VALUES ('Bob')")
        connection.commit()  # of an aborted transaction: the server rolls back
        assert connection.execute(GUESTS).fetchone() == ("Ada,Eve,Bob",)
        with connection.pipeline():
            connection.execute("INSERT INTO guests VALUES ('Zoe')")
            connection.commit()
    assert see(GUESTS) == "Ada"


def test_the_context_of_a_connection_commits_and_closes_it(guests: str, see: See) -> None:
    with tdd_sync_context() as context, context.connection as connection:
        connection.execute("INSERT INTO guests VALUES ('Eve')")
    assert see(GUESTS) == "Ada"
    with tdd_sync_context() as context:
        assert context.connection.execute("SELECT 1").fetchone() == (1,)


def test_closing_does_not_hide_a_commit(see: See) -> None:
    told = pytest.warns(IsolationWarning, match="^the test ended the transaction")
    with told, tdd_sync_context("the test") as context:
        context.connection.execute("CREATE TABLE lasting (i int); COMMIT")
        context.connection.close()
    assert see("SELECT to_regclass('lasting')") is None


def test_what_a_test_sets_on_the_connection_does_not_reach_the_next() -> None:
    with tdd_sync_context() as context:
        first = context.connection
        first.row_factory = psycopg.rows.dict_row
        first.prepare_threshold = 0
        first.adapters.register_dumper(int, psycopg.types.string.StrDumper)
        assert first.execute("SELECT 1 AS one", prepare=True).fetchone() == {"one": 1}
    with tdd_sync_context() as context:
        for _ in range(7):
            assert context.connection.execute("SELECT %s::int", (1,)).fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="has ended"):
        first.execute("SELECT 1")


@pytest.mark.parametrize(
    "escape", ["COMMIT", "ROLLBACK", "COMMIT; BEGIN", "COMMIT; BEGIN; SAVEPOINT tdd_monitor"]
)
def test_a_test_that_ends_its_transaction_is_reported_and_cleaned_up(escape: str, see: See) -> None:
    told = pytest.warns(IsolationWarning, match="^the test ended the transaction")
    with told, tdd_sync_context("the test") as context:
        context.connection.execute("CREATE TABLE lasting (i int)")
        context.connection.execute(escape)
    assert see("SELECT to_regclass('lasting')") is None


@pytest.mark.parametrize("before", ["SELECT 1", "COMMIT"])
def test_a_killed_backend_is_replaced(before: str, see: See) -> None:
    with tdd_sync_context() as context:
        context.connection.execute(f"CREATE TABLE lasting (i int); {before}")
        with pytest.raises(psycopg.OperationalError):
            context.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert see("SELECT to_regclass('lasting')") is None
    with tdd_sync_context() as context:
        backend = context.connection.info.backend_pid
    see(f"SELECT pg_terminate_backend({backend}, 5000)")
    with tdd_sync_context() as context:
        assert context.connection.execute("SELECT 1").fetchone() == (1,)


def test_a_query_of_another_thread_is_stopped_and_reported(see: See) -> None:
    told = pytest.warns(IsolationWarning, match="^the test ended while one of its queries")
    with told, tdd_sync_context("the test") as context:
        query = threading.Thread(target=ignore_errors, args=(context.connection, "SELECT pg_sleep(30)"))
        query.start()
        while not see("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'"):
            pass
    query.join()


def ignore_errors(connection: Any, query: str) -> None:
    with contextlib.suppress(psycopg.Error):
        connection.execute(query)


def test_contexts_nest_in_a_thread_and_are_independent_in_others() -> None:
    backends: list[int] = []

    def in_thread() -> None:
        with tdd_sync_context("other") as other:
            backends.append(other.connection.info.backend_pid)

    with tdd_sync_context("outer") as outer:
        outer.connection.execute("CREATE TEMP TABLE seen AS SELECT 1 AS i")
        with tdd_sync_context("inner") as inner:
            inner.connection.execute("INSERT INTO seen VALUES (2)")
            inner.connection.commit()
            assert inner.connection.execute("SELECT count(*) FROM seen").fetchone() == (2,)
        assert outer.connection.execute("SELECT count(*) FROM seen").fetchone() == (1,)
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
        assert backends != [outer.connection.info.backend_pid]


def test_a_declared_schema_exists() -> None:
    schema = unique()
    paths = []
    for _ in range(2):
        with tdd_sync_context(schema=schema) as context:
            assert context.connection.execute("SELECT count(*) FROM things").fetchone() == (0,)
            context.connection.execute("INSERT INTO things (name) VALUES ('x')")
            context.connection.commit()
            paths.append(context.path)
    assert paths == ["transaction, schema built", "transaction, schema reused"]


def test_the_fixture(tdd_sync_context: TDDSyncContext) -> None:
    assert tdd_sync_context.connection.execute("SELECT 1").fetchone() == (1,)
    assert tdd_sync_context.timings.context_setup_ms > 0
    assert tdd_sync_context.allocated[1].startswith("database tdd_")


@pytest.mark.usefixtures("unraisable_reported")
def test_without_asyncio_and_with_warnings_as_errors(run_pytest: Run) -> None:
    module = """
import pytest
@pytest.mark.parametrize("n", range(20))
def test_it(tdd_sync_context, n):
    tdd_sync_context.connection.execute("CREATE TABLE t (i int)")
    tdd_sync_context.connection.commit()
"""
    result = run_pytest("-W", "error", "-p", "no:asyncio", "-p", "no:anyio", test_it=module)
    assert "20 passed" in result.stdout, result.stdout + result.stderr
