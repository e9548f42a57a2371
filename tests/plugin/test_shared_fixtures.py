"""What shared fixtures do is theirs, wherever it happens: in every test, only its own query is left."""

import sys
import uuid

import pytest

from plugin.conftest import Suite
from plugin.harness import MS, Run, run_pytest
from tdd_monitor.protocol.events import FixtureLate, FixtureUse, PoolUse

MB = 1 << 20
BOTH = pytest.mark.parametrize("args", [(), ("-p", "xdist", "-n2")], ids=["single", "xdist"])

# Each set-up takes 30 ms of CPU, keeps 30 MB and sends 7 statements; each teardown sends one.
WORK = """
    import contextlib
    import os
    import time

    import sqlalchemy as sa

    engine = sa.create_engine("sqlite://", poolclass=sa.pool.QueuePool)
    kept = {}


    def query():
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1 AS own")


    query()  # what comes with the first one (imports, a connection) is nobody's


    def begin(name):
        until = time.process_time() + 0.03
        while time.process_time() < until: pass
        kept[name] = bytearray(os.urandom(4096)) * (30 << 8)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE {name} (i int)")
            for i in range(6): connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({i})")


    def end(name):
        with engine.begin() as connection: connection.exec_driver_sql(f"DROP TABLE {name}")


    @contextlib.contextmanager
    def work(name):
        begin(name)
        yield name
        end(name)
"""
CONFTEST = """
    import pytest
    from work import work


    @pytest.fixture(scope="session")
    def of_session():
        with work("of_session") as name: yield name


    @pytest.fixture(scope="package")
    def of_package(of_session):
        with work("of_package") as name: yield name
"""
SCOPES = """
    import unittest

    import pytest
    from work import begin, end, query, work


    def setup_module(): begin("by_setup_module")
    def teardown_module(): end("by_setup_module")


    @pytest.fixture(scope="module")
    def of_module(of_package, request):
        with work("of_module") as name:
            request.getfixturevalue("asked_for")
            yield name


    @pytest.fixture(scope="module")
    def asked_for():
        with work("asked_for") as name: yield name


    @pytest.fixture(scope="session")
    def late():
        with work("late") as name: yield name


    @pytest.fixture
    def own(of_module):
        yield
        query()


    def test_first(of_module): query()
    def test_again(of_module): query()
    def test_own_fixture(own): query()
    def test_in_call(request):
        query()
        request.getfixturevalue("late")


    class TestClass:
        @classmethod
        def setup_class(cls): begin("by_setup_class")
        @classmethod
        def teardown_class(cls): end("by_setup_class")

        @pytest.fixture(scope="class")
        def of_class(self):
            with work("of_class") as name: yield name

        def test_in_class(self, of_class): query()
        def test_in_class_again(self, of_class): query()


    class TestUnit(unittest.TestCase):
        @classmethod
        def setUpClass(cls): begin("by_setUpClass")
        @classmethod
        def tearDownClass(cls): end("by_setUpClass")
        def test_unit(self): query()


    def test_last(of_session): query()
"""
NAMES = ("of_session", "of_package", "of_module", "asked_for", "late", "of_class")
PARAMETERS = """
    import pytest
    from work import query, work


    @pytest.fixture(scope="session", params=["a", "b"])
    def parameter(request):
        with work("parameter_" + request.param) as name: yield name


    @pytest.fixture(scope="session")
    def on_top(parameter):
        with work("on_" + parameter) as name: yield name


    def test_one(on_top): query()
    def test_two(on_top): query()
    def test_other(): query()
"""
FAILING = """
    import pytest
    from work import begin, end, query


    @pytest.fixture(scope="module")
    def bad():
        begin("bad")
        raise RuntimeError("no server")


    @pytest.fixture(scope="module")
    def bad_end():
        begin("bad_end")
        yield
        end("bad_end")
        raise RuntimeError("no end")


    def test_before(): query()
    def test_bad(bad): query()
    def test_bad_again(bad): query()
    def test_last(bad_end): query()
"""


def queries(db: tuple[PoolUse, ...]) -> tuple[int, int]:
    """All statements, and those of them that are DDL."""
    return sum(use.queries for use in db), sum(use.ddl for use in db)


def check_own(run: Run, **more: int) -> None:
    """Every test sent one query (or as many as `more` says), computed and kept next to nothing."""
    for record in run.records:
        name = record.nodeid.rpartition("::")[2]
        assert queries(record.db) == (more.get(name, 1), 0), name
        assert not any(use.repeated for use in record.db), name
        for phase in record.phases:
            assert 0 <= phase.shared_ns <= phase.wall_ns
            assert phase.cpu_ns < 25 * MS, (name, phase)
            assert abs(phase.rss_delta_bytes) < 8 * MB, (name, phase)


def check_lives(run: Run, *names: str) -> None:
    """Every set-up that happened did its work, and so did its teardown, if there was one."""
    for name in names:
        uses = [use for record in run.records for use in record.fixtures if use.name == name]
        setups = [use for use in uses if not use.cached]
        assert setups, name
        for use in setups:
            assert use.cpu_ns >= 30 * MS
            assert use.rss_delta_bytes > 25 * MB
            assert queries(use.db) == ((8, 2) if use.teardown_ns else (7, 1)), (name, use)
        ends = [use for use in uses if use.teardown_ns and use.cached]
        assert all(queries(use.db) == (1, 1) for use in ends)
        assert len([use for use in uses if use.teardown_ns]) == len(setups), name
        assert not any(use.db or use.cpu_ns for use in uses if use.cached and not use.teardown_ns)


@BOTH
def test_every_scope_and_style(args: tuple[str, ...], suite: Suite) -> None:
    run = run_pytest(suite(work=WORK, conftest=CONFTEST, test_scopes=SCOPES), *args)
    assert run.exitcode == 0, run.output
    check_own(run, test_own_fixture=2)
    names = {use.name for record in run.records for use in record.fixtures}
    xunit = [
        name for name in names if "setup_module" in name or "setup_class" in name or "setUpClass" in name
    ]
    assert len(xunit) == 3, names
    check_lives(run, *NAMES, *xunit)


def test_a_phase_knows_what_of_it_is_shared(suite: Suite) -> None:
    run = run_pytest(suite(work=WORK, conftest=CONFTEST, test_scopes=SCOPES))
    first = run.test("::test_first")
    took_ns = sum(use.self_ns for use in first.fixtures if not use.cached)
    setup = run.phase("::test_first", "setup")
    assert abs(setup.shared_ns - took_ns) < 2 * MS
    assert setup.wall_ns - setup.shared_ns < 25 * MS
    assert run.phase("::test_in_call", "call").shared_ns >= 30 * MS
    assert run.phase("::test_in_call", "setup").shared_ns == 0
    own = next(use for use in run.test("::test_own_fixture").fixtures if use.name == "own")
    assert (own.cpu_ns, own.rss_delta_bytes, own.db) == (0, 0, ())


def test_a_parametrized_fixture_that_ends_in_the_middle(suite: Suite) -> None:
    run = run_pytest(suite(work=WORK, test_parameters=PARAMETERS))
    assert run.exitcode == 0, run.output
    check_own(run)
    check_lives(run, "parameter", "on_top")
    users = [
        (record.nodeid.rpartition("::")[2], use.first_user.rpartition("::")[2])
        for record in run.records
        for use in record.fixtures
        if use.name == "parameter" and not use.unused
    ]
    assert users == [
        ("test_one[a]", "test_one[a]"),
        ("test_two[a]", "test_one[a]"),
        ("test_one[b]", "test_one[b]"),
        ("test_two[b]", "test_one[b]"),
    ]
    unused = [(use.name, bool(use.teardown_ns)) for r in run.records for use in r.fixtures if use.unused]
    assert sorted(unused) == [("on_top", True), ("on_top", True), ("parameter", True), ("parameter", True)]


def test_shared_fixtures_that_fail(suite: Suite) -> None:
    run = run_pytest(suite(work=WORK, test_failing=FAILING))
    assert [record.outcome for record in run.records] == ["passed", "error", "error", "error"]
    bad = run.fixture("::test_bad", "bad")
    assert (queries(bad.db), bad.cpu_ns >= 30 * MS) == ((7, 1), True)
    end = run.fixture("::test_last", "bad_end")
    assert queries(end.db) == (8, 2)
    for name, own in (("::test_before", 1), ("::test_bad", 0), ("::test_bad_again", 0), ("::test_last", 1)):
        assert queries(run.test(name).db) == (own, 0)


def test_a_teardown_after_the_last_test(suite: Suite) -> None:
    text = """
        import pytest
        from work import query, work


        @pytest.fixture(scope="session")
        def server():
            with work("server"): yield


        def test_one(server): query()
        def test_exit(server): pytest.exit("enough")
    """
    run = run_pytest(suite(work=WORK, test_late=text))
    (late,) = run.events(FixtureLate)
    assert queries(late.db) == (1, 1)
    assert late.cpu_ns > 0
    assert queries(run.fixture("::test_one", "server").db) == (7, 1)


def test_objects_of_shared_fixtures_are_not_the_tests(suite: Suite) -> None:
    directory = suite(work=WORK, conftest=CONFTEST, test_scopes=SCOPES)
    for mode in ("tracemalloc", "gc"):
        run = run_pytest(directory, env={"TDD_MONITOR_MEMORY": mode})
        assert run.exitcode == 0, run.output
        for record in run.records:
            for phase in record.phases:
                assert abs(phase.python_delta_bytes) < 2 * MB, (mode, record.nodeid, phase)
                assert phase.python_peak_bytes < 4 * MB, (mode, record.nodeid, phase)


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
        "fixture": 'pytest_asyncio.fixture(scope="session", loop_scope="session")',
        "mark": 'pytest.mark.asyncio(loop_scope="session")',
        "name": "of_asyncio",
    },
    "anyio": {
        "imports": '@pytest.fixture(scope="session")\n    def anyio_backend(): return "asyncio"',
        "fixture": 'pytest.fixture(scope="session")',
        "mark": "pytest.mark.anyio",
        "name": "of_anyio",
    },
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_asynchronous_fixtures(runner: str, suite: Suite, database: str) -> None:
    directory = suite(test_async=ASYNC.format(**RUNNERS[runner]))
    plugin = {"asyncio": "asyncio", "anyio": "anyio"}[runner]
    run = run_pytest(directory, "-p", plugin, env={"TEST_DATABASE": database})
    assert run.exitcode == 0, run.output
    assert [queries(record.db) for record in run.records] == [(1, 0), (1, 0)]
    assert all(use.acquires == 1 for record in run.records for use in record.db)
    assert queries(run.fixture("::test_first", "table").db) == (7, 1)
    assert queries(run.fixture("::test_last", "table").db) == (1, 1)


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
        "TEST": {"NAME": "billed_to_nobody"},
    }}
    INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
"""


def test_djangos_database_is_no_tests(suite: Suite, database: str, newest: str) -> None:
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


def test_the_toolkits_database_is_no_tests(suite: Suite, database: str) -> None:
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
