"""Database work of shared fixtures of asyncio, anyio, Django and the toolkit: none of it is a test's."""

import sys
import uuid

from plugin.conftest import Suite
from plugin.harness import MB, queries, run_pytest
from tdd_monitor.protocol.events import FixtureUse

ASYNC = """
    import asyncio, os
    import asyncpg, pytest
    {imports}


    async def fill(connection, name):
        await connection.execute(f"CREATE TABLE {{name}} (i int)")
        for i in range(6): await connection.execute(f"INSERT INTO {{name}} VALUES ({{i}})")


    @{fixture}
    async def pool():
        async with asyncpg.create_pool(os.environ["TEST_DATABASE"], min_size=1, max_size=2) as pool:
            yield pool


    @{fixture}
    async def table(pool):
        async with pool.acquire() as connection: await fill(connection, "{name}")
        yield "{name}"
        async with pool.acquire() as connection: await connection.execute("DROP TABLE {name}")


    @{mark}
    async def test_first(table, pool): await pool.fetch("SELECT 1")
    @{mark}
    async def test_last(table, pool): await pool.fetch("SELECT 1")
"""
RUNNERS = {
    "asyncio": {
        "imports": "import pytest_asyncio",
        "fixture": 'pytest_asyncio.fixture(scope="module", loop_scope="module")',
        "mark": 'pytest.mark.asyncio(loop_scope="module")',
        "name": "of_asyncio",
    },
    "anyio": {
        "imports": '@pytest.fixture(scope="module")\n    def anyio_backend(): return "asyncio"',
        "fixture": 'pytest.fixture(scope="module")',
        "mark": "pytest.mark.anyio",
        "name": "of_anyio",
    },
}


def test_asynchronous_fixtures(suite: Suite, database: str) -> None:
    directory = suite(**{f"test_{runner}": ASYNC.format(**texts) for runner, texts in RUNNERS.items()})
    run = run_pytest(directory, "-p", "asyncio", "-p", "anyio", env={"TEST_DATABASE": database})
    assert run.exitcode == 0, run.output
    assert [queries(record.db) for record in run.records] == [(1, 0)] * 4
    assert all(use.acquires == 1 for record in run.records for use in record.db)
    for runner in RUNNERS:
        assert queries(run.fixture(f"test_{runner}.py::test_first", "table").db) == (7, 1)
        assert queries(run.fixture(f"test_{runner}.py::test_last", "table").db) == (1, 1)


DJANGO = """
    import pytest
    from django.contrib.auth.models import Group


    @pytest.mark.django_db
    def test_first(): assert Group.objects.count() == 0
    @pytest.mark.django_db
    def test_last(): assert Group.objects.count() == 0
"""
SETTINGS = """
    import os
    from urllib.parse import parse_qs, urlsplit

    url = urlsplit(os.environ["TEST_DATABASE"])
    place = parse_qs(url.query)
    SECRET_KEY = "x"
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username,
        "HOST": url.hostname or place["host"][0], "PORT": url.port or place.get("port", [""])[0],
        "TEST": {"NAME": f"of_no_test_{os.getpid()}"},  # other runs share the server
    }}
    INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
"""


def test_django_creates_its_database_outside_the_tests(suite: Suite, database: str, newest: str) -> None:
    directory = suite(test_django=DJANGO, settings_of_test=SETTINGS)
    args = ("-p", "django", "--ds=settings_of_test")
    env = {"PYTHONPATH": str(directory), "TEST_DATABASE": database}
    run = run_pytest(directory, *args, python=newest, env=env)
    assert run.exitcode == 0, run.output
    for record in run.records:
        sent, ddl = queries(record.db)
        assert (sent <= 5, ddl) == (True, 0), record.db  # its own, and the check of constraints at its end
    setup: FixtureUse = run.fixture("::test_first", "django_db_setup")
    assert queries(setup.db)[0] > 50
    assert queries(setup.db)[1] > 10
    assert queries(run.fixture("::test_last", "django_db_setup").db)[0] >= 1  # DROP DATABASE


TOOLKIT = """
    import os, pytest

    @pytest.fixture(scope="session")
    def tdd_schema(): return "CREATE TABLE {name} (i int); CREATE TABLE {name}_too (i int)"


    @pytest.mark.asyncio
    async def test_first(tdd_test_context): await tdd_test_context.connection.fetch("SELECT 1")
    @pytest.mark.asyncio
    async def test_again(tdd_test_context): await tdd_test_context.connection.fetch("SELECT 1")
    def test_plain(tdd_sync_context): tdd_sync_context.connection.execute("SELECT 1")
    def test_plain_again(tdd_sync_context): tdd_sync_context.connection.execute("SELECT 1")
    @pytest.mark.asyncio
    async def test_pool(optimized_connection_pool): await optimized_connection_pool.fetch("SELECT 1")
    @pytest.mark.asyncio
    async def test_last(tdd_test_context): await tdd_test_context.connection.fetch("SELECT 1")
    @pytest.mark.asyncio
    async def test_own(tdd_database): await tdd_database.connection.fetch("SELECT 1")
"""


def test_the_toolkit_creates_its_database_outside_the_tests(suite: Suite, database: str) -> None:
    from tdd_monitor.testing.databases.by_schema import FOR_ALL_TESTS

    directory = suite(test_toolkit=TOOLKIT.format(name="t" + uuid.uuid4().hex))
    plugins = ("-p", "asyncio", "-p", "tdd_monitor.testing.pytest_plugin.database")
    run = run_pytest(directory, *plugins, python=sys.executable)
    assert run.exitcode == 0, run.output
    for record in run.records:
        assert queries(record.db)[1] == 0, record.nodeid
        assert not {"database_made_ms", "schema_operation_ms", "connection_open_ms"} & record.metrics.keys()
    works = {
        record.nodeid.rpartition("::")[2]: use
        for record in run.records
        for use in record.fixtures
        if use.name == FOR_ALL_TESTS
    }
    made = works["test_first"]
    assert (made.scope, made.cached, made.first_user) == ("session", False, "test_toolkit.py::test_first")
    assert queries(made.db)[1] >= 4  # the template and its two tables, the database
    assert works["test_again"].cached and works["test_last"].cached
    assert not works["test_plain"].cached  # its connection is another one, and psycopg had to be imported
    assert works["test_plain_again"].cached
    assert works["test_plain"].rss_delta_bytes > 4 * MB > run.phase("::test_plain", "setup").rss_delta_bytes
    assert queries(works["test_pool"].db)[1] >= 1  # pools have a database of their own
    setup = run.phase("::test_first", "setup")
    assert made.self_ns <= setup.shared_ns <= setup.wall_ns
    context = run.fixture("::test_first", "tdd_test_context")
    assert context.self_ns + made.self_ns <= context.setup_ns
