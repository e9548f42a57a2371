"""One suite with all that plain pytest can do, on every pytest and Python at hand, with and without xdist."""

import re
from pathlib import Path

import pytest

from plugin import interpreters
from plugin.conftest import Suite, require
from plugin.harness import MB, MS, PYTHON, Run, run_pytest
from tdd_monitor.protocol.events import (
    Collect,
    CollectFinish,
    CollectSkip,
    FixtureLate,
    StartedTest,
    WorkerDown,
    WorkerUp,
)

OUTCOMES = '''
    import time
    import unittest

    import pytest


    IDS = ["\\u00fcn\\u00ef", "sp ace", "br[ack]et", "new\\nline", "x" * 5000]


    def double(n):
        """
        >>> double(2)
        4
        """
        return 2 * n


    @pytest.fixture
    def broken_setup():
        raise RuntimeError("setup")


    @pytest.fixture
    def broken_teardown():
        yield
        raise RuntimeError("teardown")


    @pytest.fixture
    def skipping():
        pytest.skip("in a fixture")


    def test_passes(): print("said in the call")
    def test_fails(): assert 1 == 2
    def test_error_in_setup(broken_setup): pass
    def test_error_in_teardown(broken_teardown): pass
    def test_fails_and_errors(broken_teardown): assert 0
    @pytest.mark.skip(reason="marked")
    def test_skip_mark(): pass
    def test_skip_call(): pytest.skip("from the call")
    def test_skip_fixture(skipping): pass
    @pytest.mark.xfail(reason="known")
    def test_xfail(): assert 0
    @pytest.mark.xfail
    def test_xfail_without_reason(): assert 0
    def test_xfail_call(): pytest.xfail("imperative")
    @pytest.mark.xfail
    def test_xfail_setup(broken_setup): pass
    @pytest.mark.xfail(run=False)
    def test_xfail_not_run(): raise SystemExit
    @pytest.mark.xfail
    def test_xpass(): pass
    @pytest.mark.xfail(strict=True)
    def test_xpass_strict(): pass
    @pytest.mark.parametrize("v", range(5), ids=IDS)
    def test_ids(v): pass


    class TestUnit(unittest.TestCase):
        @classmethod
        def setUpClass(cls): time.sleep(0.03)
        def setUp(self): self.value = 1
        def test_unit(self): self.assertEqual(self.value, 1)
        def test_unit_fails(self): self.assertEqual(self.value, 2)
        @unittest.expectedFailure
        def test_unit_expected(self): self.fail()
        @unittest.skip("unit")
        def test_unit_skipped(self): pass
'''
TIMES = """
    import time

    import pytest


    @pytest.fixture(scope="session")
    def server():
        time.sleep(0.04)
        yield
        time.sleep(0.03)


    @pytest.fixture(scope="module")
    def schema(server):
        time.sleep(0.02)
        yield
        time.sleep(0.02)


    @pytest.fixture(scope="class")
    def login(): return time.sleep(0.01)


    @pytest.fixture
    def inner():
        time.sleep(0.03)
        yield
        time.sleep(0.01)


    @pytest.fixture
    def outer(request):
        request.getfixturevalue("inner")
        time.sleep(0.02)
        request.addfinalizer(lambda: time.sleep(0.02))


    class TestTimes:
        def test_first(self, schema, login, outer): time.sleep(0.05)
        def test_second(self, schema, login): sum(range(400_000))
"""
MEMORY = """
    import pytest


    KEPT = []


    @pytest.fixture
    def ballast():
        block = bytearray(b"x") * (48 << 20)
        yield
        del block


    def test_keeps(ballast): KEPT.append(bytearray(b"x") * (64 << 20))
    def test_without_fixtures(): pass
"""
HOOKS = """
    import time

    def pytest_runtest_setup(item):
        if item.name == "test_without_fixtures":
            time.sleep(0.02)
"""
SKIPPED_FILE = 'import pytest; pytest.skip("the whole file", allow_module_level=True)\n'
# CPU time that a loop over 400,000 numbers surely takes, on any machine.
SOME_CPU = 1 * MS


def oldest_python() -> str:
    versions = interpreters.pythons()
    return next(iter(versions), "3.9")


def newest_python() -> str:
    return list(interpreters.pythons() or ("3.13",))[-1]


ENVIRONMENTS = {
    "here": lambda: interpreters.Interpreter(PYTHON),
    "oldest": lambda: interpreters.made(oldest_python(), interpreters.OLDEST),
    "newest": lambda: interpreters.made(newest_python(), interpreters.NEWEST),
}
XDIST = ("-p", "xdist", "--dist=loadscope")
MODES = {"single": (), "one worker": (*XDIST, "-n1"), "two workers": (*XDIST, "-n2")}
WORKERS = {"single": [], "one worker": ["gw0"], "two workers": ["gw0", "gw1"]}
RUNS = [
    *[("here", mode) for mode in ("single", "two workers")],
    *[
        pytest.param(name, mode, marks=pytest.mark.environments)
        for name in ("oldest", "newest")
        for mode in ("single", "one worker")
    ],
]


@pytest.mark.parametrize(("name", "mode"), RUNS)
def test_everything_that_pytest_counts_is_reported(name: str, mode: str, suite: Suite) -> None:
    python = require(ENVIRONMENTS[name]())
    directory = suite(
        test_outcomes=OUTCOMES,
        test_times=TIMES,
        test_memory=MEMORY,
        test_skipped=SKIPPED_FILE,
        conftest=HOOKS,
    )
    run = run_pytest(directory, "--doctest-modules", "-rA", *MODES[mode], python=python)
    run.assert_well_formed()
    check_counts(run)
    check_outcomes(run)
    check_texts(run)
    check_ids(run)
    check_collection(run, directory)
    check_fixture_times(run)
    check_clocks(run)
    check_memory(run)
    check_workers(run, mode)


def check_counts(run: Run) -> None:
    assert run.exitcode == 1 == run.finish.exitstatus
    counts = {name: number for name, number in run.finish.counts.items() if name != "warnings"}
    assert counts == run.summary
    # A file that skips itself is counted by pytest and has no test.
    skips = run.events(CollectSkip)  # once as a module, once for its doctests
    assert {skip.nodeid for skip in skips} == {"test_skipped.py"}
    assert all("the whole file" in skip.longrepr for skip in skips)
    assert run.counted | {"skipped": run.counted["skipped"] + len(skips)} == counts


def check_outcomes(run: Run) -> None:
    expected = {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_error_in_setup": "error",
        "test_error_in_teardown": "error",
        "test_fails_and_errors": "failed",
        "test_skip_mark": "skipped",
        "test_skip_call": "skipped",
        "test_skip_fixture": "skipped",
        "test_xfail": "xfailed",
        "test_xfail_without_reason": "xfailed",
        "test_xfail_call": "xfailed",
        "test_xfail_setup": "xfailed",
        "test_xfail_not_run": "xfailed",
        "test_xpass": "xpassed",
        "test_xpass_strict": "failed",
        "test_unit": "passed",
        "test_unit_fails": "failed",
        "test_unit_expected": "xfailed",
        "test_unit_skipped": "skipped",
        "test_outcomes.py::test_outcomes.double": "passed",
    }
    assert {
        name: run.test(f"::{name}" if "::" not in name else name).outcome for name in expected
    } == expected
    teardown = run.phase("::test_error_in_teardown", "teardown")
    assert (teardown.outcome, run.phase("::test_error_in_teardown", "call").outcome) == ("failed", "passed")


def check_texts(run: Run) -> None:
    assert "assert 1 == 2" in run.phase("::test_fails", "call").longrepr
    assert "RuntimeError: setup" in run.phase("::test_error_in_setup", "setup").longrepr
    assert "from the call" in run.phase("::test_skip_call", "call").longrepr
    assert "known" in run.phase("::test_xfail", "call").longrepr
    assert run.phase("::test_xpass_strict", "call").longrepr.startswith("[XPASS(strict)]")
    sections = [(p.when, s.title, s.text) for p in run.test("::test_passes").phases for s in p.sections]
    assert sections == [("call", "Captured stdout call", "said in the call\n")]


def check_ids(run: Run) -> None:
    ids = [r.nodeid.partition("[")[2][:-1] for r in run.records if "::test_ids[" in r.nodeid]
    assert len(ids) == 5
    # Parameters come to the test in the way of fixtures, and are none.
    uses = [use for record in run.records if "::test_ids[" in record.nodeid for use in record.fixtures]
    assert "v" not in {use.name for use in uses}
    assert {"sp ace", "br[ack]et", "new\\nline", "x" * 5000} < set(ids)
    assert {record.nodeid for record in run.records} == {test.nodeid for test in run.collected}


def check_collection(run: Run, directory: Path) -> None:
    places = {test.nodeid: (test.file, test.line) for test in run.collected}
    text = (directory / "test_outcomes.py").read_text().splitlines()
    line = text.index("def test_fails(): assert 1 == 2") + 1
    assert places["test_outcomes.py::test_fails"] == ("test_outcomes.py", line)
    (finish,) = run.events(CollectFinish)
    assert (finish.count, finish.deselected) == (len(run.collected), 0)


def took(ns: int, ms: int) -> bool:
    """A sleep of `ms` was measured, on a machine that may be busy."""
    return ms * MS <= ns < (ms + 5_000) * MS


def check_fixture_times(run: Run) -> None:
    first, last = "::test_first", "::test_second"
    for fixture, setup_ms in (("server", 40), ("schema", 20), ("login", 10), ("inner", 30)):
        use = run.fixture(first, fixture)
        assert took(use.setup_ns, setup_ms), fixture
        assert use.self_ns == use.setup_ns
        assert not use.cached
    outer, inner = run.fixture(first, "outer"), run.fixture(first, "inner")
    assert took(outer.self_ns, 20)
    assert outer.setup_ns - outer.self_ns == inner.setup_ns
    assert took(outer.teardown_ns, 20)
    assert took(inner.teardown_ns, 10)
    assert outer.start_ns < inner.start_ns < inner.teardown_start_ns
    again = run.fixture(last, "schema")
    assert (again.cached, again.setup_ns, again.scope) == (True, 0, "module")
    assert again.first_user.endswith(first)
    assert took(again.teardown_ns, 20)
    server = [u.teardown_ns for r in run.records for u in r.fixtures if u.name == "server" and u.teardown_ns]
    late = [use.teardown_ns for use in run.events(FixtureLate) if use.name == "server"]
    (teardown_ns,) = server + late
    assert took(teardown_ns, 30)
    of_class = [use for r in run.records for use in r.fixtures if use.scope == "class"]
    assert any(use.setup_ns >= 30 * MS for use in of_class if use.name != "login")  # setUpClass


def check_clocks(run: Run) -> None:
    sleeping, computing = run.phase("::test_first", "call"), run.phase("::test_second", "call")
    assert took(sleeping.wall_ns, 50)
    assert sleeping.cpu_ns < 25 * MS
    assert computing.cpu_ns > SOME_CPU
    hook = run.phase("::test_without_fixtures", "setup")
    assert took(hook.wall_ns, 20)
    assert hook.cpu_ns < hook.wall_ns / 2
    for record in run.records:
        assert record.unmeasured == ()
        assert record.peak_rss_bytes >= record.phases[-1].rss_bytes // 2 > 1 << 20
    starts = {
        (s.nodeid, s.attempt): line.t_ns for line in run.lines if isinstance(s := line.event, StartedTest)
    }
    assert all(starts[r.nodeid, r.attempt] == r.started_ns for r in run.records)


def check_memory(run: Run) -> None:
    grown_mb = {p.when: p.rss_delta_bytes / MB for p in run.test("::test_keeps").phases}
    assert 40 < grown_mb["setup"] < 56
    assert 56 < grown_mb["call"] < 72
    assert -56 < grown_mb["teardown"] < -40
    assert all(abs(p.rss_delta_bytes) < MB for p in run.test("::test_without_fixtures").phases)


def check_workers(run: Run, mode: str) -> None:
    ids = WORKERS[mode]
    assert {line.worker for line in run.lines} == {"", *ids}
    assert {line.worker for line in run.lines if isinstance(line.event, Collect)} == set(ids[:1] or [""])
    assert run.connections == 1 + len(ids)
    assert run.hello.role == ("controller" if ids else "single")
    assert sorted(up.id for up in run.events(WorkerUp)) == ids
    assert [(down.id, down.crashed) for down in sorted(run.events(WorkerDown))] == [(id, False) for id in ids]
    assert re.fullmatch(r"3\.\d+\.\d+\S*", run.hello.python)
