"""Suites that use the plugins that suites use most, on the newest pytest."""

import pytest

from plugin import interpreters
from plugin.conftest import Suite, require
from plugin.harness import MS, Run, run_pytest
from tdd_monitor.protocol.events import CollectFinish, RunCancel, RunFinish, StartedTest

XDIST = ("-p", "xdist", "-n2", "--dist=loadfile")
BOTH = pytest.mark.parametrize("args", [(), XDIST], ids=["single", "xdist"])

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

    tries = []


    @pytest.fixture
    def unlucky():
        tries.append("fixture")
        assert tries.count("fixture") > 1


    @pytest.mark.flaky(reruns=3)
    def test_flaky():
        print("try", len(tries))
        tries.append("call")
        assert tries.count("call") > 2
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


    def test_quick(): pass
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


def counts(run: Run) -> dict[str, int]:
    return {name: number for name, number in run.finish.counts.items() if name != "warnings"}


@BOTH
def test_subtests_and_what_they_do_to_their_test(args: tuple[str, ...], suite: Suite, newest: str) -> None:
    run = run_pytest(suite(test_sub=SUBTESTS), *args, python=newest)
    run.assert_well_formed()
    if run.hello.pytest < "9":
        pytest.skip("this pytest has no subtests")
    outcomes = {record.nodeid.rpartition("::")[2]: record.outcome for record in run.records}
    assert outcomes == {
        "test_passing": "passed",
        "test_failing": "failed",
        "test_failing_itself": "failed",
        "test_unit": "failed",
    }
    assert [s.outcome for s in run.test("test_failing").subtests] == ["passed", "failed", "passed"]
    assert run.test("test_passing").subtests[2].description == "round (i=2)"
    assert "contains 1 failed subtest" in run.phase("test_failing", "call").longrepr
    assert run.phase("test_unit", "call").outcome == "passed"  # as pytest has it
    assert run.counted == {name: n for name, n in counts(run).items() if not name.startswith("subtests")}


@BOTH
def test_every_attempt_is_told(args: tuple[str, ...], suite: Suite, newest: str) -> None:
    run = run_pytest(suite(test_rerun=RERUNS), "-p", "rerunfailures", *args, python=newest)
    run.assert_well_formed()
    told = [(r.nodeid.partition("::")[2], r.attempt, r.outcome) for r in run.records]
    assert told == [
        *[("test_flaky", 1, "rerun"), ("test_flaky", 2, "rerun"), ("test_flaky", 3, "passed")],
        *[("test_hopeless", 1, "rerun"), ("test_hopeless", 2, "rerun"), ("test_hopeless", 3, "failed")],
        *[("test_flaky_setup", 1, "rerun"), ("test_flaky_setup", 2, "passed"), ("test_plain", 1, "passed")],
    ]
    assert [(s.nodeid.partition("::")[2], s.attempt) for s in run.events(StartedTest)] == [
        t[:2] for t in told
    ]
    assert run.counted == counts(run)
    texts = [[s.text for phase in r.phases for s in phase.sections] for r in run.records[:3]]
    assert texts == [["try 0\n"], ["try 1\n"], ["try 2\n"]]


@BOTH
def test_async_tests_and_fixtures(args: tuple[str, ...], suite: Suite, newest: str) -> None:
    plugins = ("-p", "asyncio", "-p", "anyio", "-o", "asyncio_mode=auto")
    run = run_pytest(suite(test_async=ASYNC), *plugins, *args, python=newest)
    run.assert_well_formed()
    assert run.counted == counts(run) == {"passed": 2, "failed": 1}
    slow = run.fixture("::test_asyncio", "slow")
    assert 30 <= slow.self_ns / MS < 5_000
    assert 20 <= slow.teardown_ns / MS < 5_000
    assert 40 <= run.phase("::test_asyncio", "call").wall_ns / MS < 5_000
    assert 40 <= run.phase("::test_anyio", "call").wall_ns / MS < 5_000


def test_forked_tests_are_told_with_what_is_unknown(suite: Suite) -> None:
    oldest = require(interpreters.made("3.9", interpreters.OLDEST))  # pytest-forked fails with pytest 9.2
    run = run_pytest(suite(test_forked=FORKED), "-p", "pytest_forked", "--forked", python=oldest)
    assert run.counted == counts(run) == {"passed": 1, "failed": 2}, run.output
    assert run.connections == 1
    assert all("separate process" in record.unmeasured[0] for record in run.records)
    assert run.phase("::test_passes", "call").wall_ns > 0
    assert run.test("::test_dies").phases[0].when == "???"


def test_a_timeout_by_signal_is_a_failure(suite: Suite, newest: str) -> None:
    run = run_pytest(suite(test_timeout=TIMEOUT), "-p", "timeout", "--timeout=1", python=newest)
    assert run.counted == counts(run) == {"passed": 2, "failed": 1}
    assert run.phase("::test_slow", "call").wall_ns < 60_000 * MS
    assert "Timeout" in run.phase("::test_slow", "call").longrepr


def test_a_timeout_by_thread_ends_the_process_in_the_test(suite: Suite, newest: str) -> None:
    args = ("-p", "timeout", "--timeout=0.3", "--timeout-method=thread")
    run = run_pytest(suite(test_timeout=TIMEOUT), *args, python=newest)
    assert run.exitcode == 1
    assert not run.events(RunFinish)
    assert run.events(StartedTest)[-1].nodeid.endswith("::test_slow")


def test_a_session_timeout_is_said_to_be_one(suite: Suite, newest: str) -> None:
    args = ("-p", "timeout", "--session-timeout=0.2")
    slow = "import time\n" + "".join(f"def test_{i}(): time.sleep(0.1)\n" for i in range(9))
    run = run_pytest(suite(test_timeout=slow), *args, python=newest)
    assert [cancel.reason for cancel in run.events(RunCancel)] == ["timeout"]
    assert len(run.records) < 9


@BOTH
def test_random_order(args: tuple[str, ...], suite: Suite, newest: str) -> None:
    many = "import pytest\n@pytest.mark.parametrize('i', range(20))\ndef test_many(i): pass"
    run = run_pytest(suite(test_many=many), "-p", "randomly", *args, python=newest)
    assert run.counted == {"passed": 20} == counts(run)
    if not args:
        assert [test.nodeid for test in run.collected] == [record.nodeid for record in run.records]


@BOTH
def test_coverage(args: tuple[str, ...], suite: Suite, newest: str) -> None:
    directory = suite(test_cov="import lib\ndef test_lib(): assert lib.f() == 1", lib="def f(): return 1")
    run = run_pytest(directory, "-p", "pytest_cov", "--cov=lib", *args, python=newest)
    assert run.counted == {"passed": 1} == counts(run), run.output
    assert "lib.py" in run.output
    assert "100%" in run.output


def test_the_exit_code_that_a_plugin_decides_on_at_the_end(suite: Suite, newest: str) -> None:
    directory = suite(test_cov="def test_lib(): pass", lib="def f(): return 1")
    run = run_pytest(directory, "-p", "pytest_cov", "--cov=lib", "--cov-fail-under=90", python=newest)
    assert run.exitcode != 0
    assert run.finish.exitstatus == run.exitcode


@BOTH
def test_django(args: tuple[str, ...], suite: Suite, newest: str) -> None:
    directory = suite(test_django=DJANGO, settings_of_test=SETTINGS)
    args = ("-p", "django", "--ds=settings_of_test", *args)
    run = run_pytest(directory, *args, python=newest, env={"PYTHONPATH": str(directory)})
    assert run.counted == {"passed": 1} == counts(run), run.output
    shared = [use for use in run.test("::test_database").fixtures if use.scope == "session" and use.setup_ns]
    assert shared, "the database is set up by a session fixture"
    assert run.events(CollectFinish)[0].count == 1
