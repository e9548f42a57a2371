"""What shared fixtures do is theirs, wherever it happens: in every test, only its own query is left."""

import pytest

from plugin.conftest import Suite
from plugin.harness import MB, MS, Run, queries, run_pytest
from tdd_monitor.protocol.events import FinishedTest, FixtureLate

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
LATE = """
    import pytest
    from work import query, work


    @pytest.fixture(scope="session")
    def server():
        with work("server"): yield


    def test_one(server): query()
    def test_exit(server): pytest.exit("enough")
"""


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


@pytest.mark.parametrize("args", [(), ("-p", "xdist", "-n1")], ids=["single", "xdist"])
def test_every_scope_and_style(args: tuple[str, ...], suite: Suite) -> None:
    directory = suite(work=WORK, conftest=CONFTEST, test_parameters=PARAMETERS, test_scopes=SCOPES)
    run = run_pytest(directory, *args)
    assert run.exitcode == 0, run.output
    check_own(run, test_own_fixture=2)
    names = {use.name for record in run.records for use in record.fixtures}
    xunit = [
        name for name in names if "setup_module" in name or "setup_class" in name or "setUpClass" in name
    ]
    assert len(xunit) == 3, names
    check_lives(run, *NAMES, *xunit)
    check_shared_part_of_phases(run)
    check_parametrized(run)


@pytest.fixture(scope="module")
def ended_early(new_suite: Suite) -> Run:
    """Fixtures that fail, and one that ends after the last test."""
    return run_pytest(new_suite(work=WORK, test_failing=FAILING, test_late=LATE))


def of_file(run: Run, name: str) -> list[FinishedTest]:
    return [record for record in run.records if record.nodeid.startswith(f"{name}.py::")]


def check_shared_part_of_phases(run: Run) -> None:
    first = run.test("::test_first")
    took_ns = sum(use.self_ns for use in first.fixtures if not use.cached)
    setup = run.phase("::test_first", "setup")
    assert abs(setup.shared_ns - took_ns) < took_ns / 10
    assert setup.wall_ns - setup.shared_ns < took_ns / 2
    assert run.phase("::test_in_call", "call").shared_ns >= 30 * MS
    assert run.phase("::test_in_call", "setup").shared_ns == 0
    own = next(use for use in run.test("::test_own_fixture").fixtures if use.name == "own")
    assert (own.cpu_ns, own.rss_delta_bytes, own.db) == (0, 0, ())


def check_parametrized(run: Run) -> None:
    """A parametrized fixture ends in the middle of the run."""
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
    uses = [use for record in run.records for use in record.fixtures if use.name in ("parameter", "on_top")]
    unused = [(use.name, bool(use.teardown_ns)) for use in uses if use.unused]
    assert sorted(unused) == [("on_top", True), ("on_top", True), ("parameter", True), ("parameter", True)]


def test_shared_fixtures_that_fail(ended_early: Run) -> None:
    run = ended_early
    outcomes = [record.outcome for record in of_file(run, "test_failing")]
    assert outcomes == ["passed", "error", "error", "error"]
    bad = run.fixture("::test_bad", "bad")
    assert (queries(bad.db), bad.cpu_ns >= 30 * MS) == ((7, 1), True)
    end = run.fixture("::test_last", "bad_end")
    assert queries(end.db) == (8, 2)
    for name, own in (("::test_before", 1), ("::test_bad", 0), ("::test_bad_again", 0), ("::test_last", 1)):
        assert queries(run.test(name).db) == (own, 0)


def test_a_teardown_after_the_last_test(ended_early: Run) -> None:
    (late,) = ended_early.events(FixtureLate)
    assert queries(late.db) == (1, 1)
    assert late.cpu_ns > 0
    assert queries(ended_early.fixture("::test_one", "server").db) == (7, 1)
