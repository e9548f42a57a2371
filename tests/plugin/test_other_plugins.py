"""Suites that use the plugins that suites use most, on the newest pytest."""

from collections import Counter

import pytest

from plugin import interpreters
from plugin.conftest import Suite, require
from plugin.harness import MS, Run, run_pytest
from tdd_monitor.protocol.events import CollectFinish, FinishedTest, RunCancel, RunFinish, StartedTest

XDIST = ("-p", "xdist", "-n1")

SUBTESTS = """
    import unittest


    def test_passing(subtests):
        for i in range(3):
            with subtests.test("round", i=i): pass
    def test_failing(subtests):
        for i in range(3):
            with subtests.test(i=i): assert i != 1
    def test_failing_itself(subtests):
        with subtests.test("inner"): assert 0
        assert False, "outer"


    class TestUnit(unittest.TestCase):
        def test_unit(self):
            for i in range(3):
                with self.subTest(i=i): self.assertNotEqual(i, 2)
"""
RERUNS = """
    import pytest

    calls, setups = [], []


    @pytest.fixture
    def unlucky():
        setups.append(1)
        assert len(setups) > 1


    @pytest.mark.flaky(reruns=3)
    def test_flaky():
        print("try", len(calls))
        calls.append(1)
        assert len(calls) > 2
    @pytest.mark.flaky(reruns=2)
    def test_hopeless(): assert 0
    @pytest.mark.flaky(reruns=1)
    def test_flaky_setup(unlucky): pass
    def test_plain(): pass
"""
ASYNC = """
    import asyncio

    import anyio
    import pytest


    @pytest.fixture
    async def slow():
        await asyncio.sleep(0.03)
        yield 1
        await asyncio.sleep(0.02)


    async def test_asyncio(slow):
        await asyncio.sleep(0.04)
    async def test_asyncio_fails(): assert 0


    @pytest.mark.anyio
    class TestAnyio:
        @pytest.fixture
        def anyio_backend(self): return "asyncio"
        async def test_anyio(self): await anyio.sleep(0.04)
"""
FORKED = """
    import os

    import pytest


    def test_passes(): assert os.getpid() != MAIN
    def test_fails(): assert 0
    def test_dies(): os._exit(3)
    MAIN = os.getpid()
"""
TIMEOUT = """
    import time

    import pytest


    def test_quick(): pass
    @pytest.mark.timeout(0.3)
    def test_slow(): time.sleep(60)
    def test_after(): pass
"""
DJANGO = """
    import pytest
    from django.db import connection


    @pytest.mark.django_db
    def test_database():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
"""
SETTINGS = """
    SECRET_KEY = "x"
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
"""


MANY = """
    import pytest


    @pytest.mark.parametrize("i", range(20))
    def test_many(i): pass
"""
FILES = {
    "test_sub": SUBTESTS,
    "test_rerun": RERUNS,
    "test_async": ASYNC,
    "test_timeout": TIMEOUT,
    "test_django": DJANGO,
    "settings_of_test": SETTINGS,
    "test_many": MANY,
    "test_cov": "import lib\ndef test_lib(): assert lib.f() == 1",
    "lib": "def f(): return 1",
}
OPTIONS = (
    *("-p", "rerunfailures", "-p", "timeout", "-p", "asyncio", "-p", "anyio", "-o", "asyncio_mode=auto"),
    *("-p", "django", "--ds=settings_of_test", "-p", "pytest_cov", "--cov=lib"),
    *("-p", "randomly", "--randomly-seed=1"),
)


@pytest.fixture(scope="module", params=[(), XDIST], ids=["single", "xdist"])
def run(request: pytest.FixtureRequest, new_suite: Suite, newest: str) -> Run:
    """All of them together."""
    directory = new_suite(**FILES)
    # The tracer that does not slow down the import of Django; its data is not that of our own coverage.
    coverage = {
        "COVERAGE_CORE": "sysmon",
        "COVERAGE_PROCESS_START": "",
        "COVERAGE_FILE": str(directory / "data"),
    }
    env = {"PYTHONPATH": str(directory), **coverage}
    run = run_pytest(directory, *OPTIONS, *request.param, python=newest, env=env)
    run.assert_well_formed()
    return run


def counts(run: Run) -> dict[str, int]:
    """As pytest counts; what it counts besides tests is left out."""
    others = ("warnings", "subtests")
    return {name: number for name, number in run.finish.counts.items() if not name.startswith(others)}


def of_file(run: Run, name: str) -> list[FinishedTest]:
    return [record for record in run.records if record.nodeid.startswith(f"{name}.py::")]


def outcomes(run: Run, name: str) -> dict[str, int]:
    return dict(Counter(record.outcome for record in of_file(run, name)))


def test_counts_are_those_of_pytest(run: Run) -> None:
    assert run.counted == counts(run), run.output


def test_subtests_and_what_they_do_to_their_test(run: Run) -> None:
    if run.hello.pytest < "9":
        pytest.skip("this pytest has no subtests")
    assert {record.nodeid.rpartition("::")[2]: record.outcome for record in of_file(run, "test_sub")} == {
        "test_passing": "passed",
        "test_failing": "failed",
        "test_failing_itself": "failed",
        "test_unit": "failed",
    }
    assert [s.outcome for s in run.test("test_failing").subtests] == ["passed", "failed", "passed"]
    assert run.test("test_passing").subtests[2].description == "round (i=2)"
    assert "contains 1 failed subtest" in run.phase("test_failing", "call").longrepr
    assert run.phase("test_unit", "call").outcome == "passed"  # as pytest has it


def test_every_attempt_is_reported(run: Run) -> None:
    records = of_file(run, "test_rerun")
    reported = {
        name: [(record.attempt, record.outcome) for record in records if record.nodeid.endswith(f"::{name}")]
        for name in ("test_flaky", "test_hopeless", "test_flaky_setup", "test_plain")
    }
    assert reported == {
        "test_flaky": [(1, "rerun"), (2, "rerun"), (3, "passed")],
        "test_hopeless": [(1, "rerun"), (2, "rerun"), (3, "failed")],
        "test_flaky_setup": [(1, "rerun"), (2, "passed")],
        "test_plain": [(1, "passed")],
    }
    started = [(start.nodeid, start.attempt) for start in run.events(StartedTest)]
    assert started == [(record.nodeid, record.attempt) for record in run.records]
    flaky = [record for record in records if record.nodeid.endswith("::test_flaky")]
    texts = [[section.text for phase in record.phases for section in phase.sections] for record in flaky]
    assert texts == [["try 0\n"], ["try 1\n"], ["try 2\n"]]


def test_async_tests_and_fixtures(run: Run) -> None:
    assert outcomes(run, "test_async") == {"passed": 2, "failed": 1}
    slow = run.fixture("::test_asyncio", "slow")
    assert 30 <= slow.self_ns / MS < 5_000
    assert 20 <= slow.teardown_ns / MS < 5_000
    assert 40 <= run.phase("::test_asyncio", "call").wall_ns / MS < 5_000
    assert 40 <= run.phase("::test_anyio", "call").wall_ns / MS < 5_000


def test_a_timeout_by_signal_is_a_failure(run: Run) -> None:
    assert outcomes(run, "test_timeout") == {"passed": 2, "failed": 1}
    assert run.phase("::test_slow", "call").wall_ns < 60_000 * MS
    assert "Timeout" in run.phase("::test_slow", "call").longrepr


def test_random_order(run: Run) -> None:
    assert outcomes(run, "test_many") == {"passed": 20}
    collected = [test.nodeid for test in run.collected]
    assert collected == [record.nodeid for record in run.records if record.attempt == 1]
    assert collected != sorted(collected)


def test_coverage(run: Run) -> None:
    assert outcomes(run, "test_cov") == {"passed": 1}
    assert "lib.py" in run.output
    assert "100%" in run.output


def test_django(run: Run) -> None:
    assert outcomes(run, "test_django") == {"passed": 1}
    shared = [use for use in run.test("::test_database").fixtures if use.scope == "session" and use.setup_ns]
    assert shared, "the database is set up by a session fixture"
    assert run.events(CollectFinish)[0].count == len(run.collected)


def test_the_exit_code_that_a_plugin_decides_on_at_the_end(suite: Suite, newest: str) -> None:
    """Coverage with contexts keeps its data in sqlite3, which is no use by the test."""
    directory = suite(test_cov="import sqlite3\ndef test_nothing(): pass", lib="def f(): return 1")
    options = ("--cov=.", "--cov-context=test", "--cov-fail-under=90")
    run = run_pytest(directory, "-p", "pytest_cov", *options, python=newest, timeout_s=120)
    assert run.exitcode != 0
    assert run.finish.exitstatus == run.exitcode
    assert "TOTAL" in run.output
    assert [record.unwatched for record in run.records] == [()]


@pytest.mark.environments
def test_forked_tests_say_what_is_unmeasured(suite: Suite) -> None:
    oldest = require(interpreters.made("3.9", interpreters.OLDEST))  # pytest-forked fails with pytest 9.2
    run = run_pytest(suite(test_forked=FORKED), "-p", "pytest_forked", "--forked", python=oldest)
    assert run.counted == counts(run) == {"passed": 1, "failed": 2}, run.output
    assert run.connections == 1
    assert all("separate process" in record.unmeasured[0] for record in run.records)
    assert run.phase("::test_passes", "call").wall_ns > 0
    assert run.test("::test_dies").phases[0].when == "???"


def test_a_timeout_by_thread_ends_the_process_in_the_test(suite: Suite, newest: str) -> None:
    args = ("-p", "timeout", "--timeout=0.3", "--timeout-method=thread")
    run = run_pytest(suite(test_timeout=TIMEOUT), *args, python=newest)
    assert run.exitcode == 1
    assert not run.events(RunFinish)
    assert run.events(StartedTest)[-1].nodeid.endswith("::test_slow")


def test_a_session_timeout_is_the_reason_for_the_end(suite: Suite, newest: str) -> None:
    args = ("-p", "timeout", "--session-timeout=0.2")
    slow = "import time\n" + "".join(f"def test_{i}(): time.sleep(0.1)\n" for i in range(9))
    run = run_pytest(suite(test_timeout=slow), *args, python=newest)
    assert [cancel.reason for cancel in run.events(RunCancel)] == ["timeout"]
    assert len(run.records) < 9
