"""What is collected, what is not, and why a run ends early."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.projects import QUIET

from plugin.conftest import Suite
from plugin.harness import BOOTSTRAP, MS, Run, environment, listening, plain_pytest, run_pytest, wait_until
from tdd_monitor.protocol.events import (
    Collect,
    CollectError,
    CollectFinish,
    FinishedTest,
    FixtureLate,
    RunCancel,
    RunFinish,
    StartedTest,
    WarningRaised,
)

XDIST = ("-p", "xdist", "-n1")
BOTH = pytest.mark.parametrize("args", [(), XDIST], ids=["single", "xdist"])
GOOD = "def test_good(): pass"
BROKEN = "import nothing_of_this_name"
FAILING = "".join(f"def test_{n}(): assert 0\n" for n in range(9))


def reasons(run: Run) -> list[str]:
    return [cancel.reason for cancel in run.events(RunCancel)]


def test_a_file_that_cannot_be_collected_ends_the_run(suite: Suite) -> None:
    run = run_pytest(suite(test_good=GOOD, test_broken=BROKEN))
    (error,) = run.events(CollectError)
    assert error.nodeid == "test_broken.py"
    assert "nothing_of_this_name" in error.longrepr
    assert reasons(run) == ["collection"]
    assert run.exitcode == run.finish.exitstatus == 2
    assert run.finish.counts["error"] == 1


@pytest.mark.parametrize(
    "args",
    [
        ("--continue-on-collection-errors",),
        ("-p", "xdist", "-n2"),
    ],  # xdist runs what could be collected anyway
    ids=["single", "xdist"],
)
def test_errors_deselected_tests_and_warnings_are_reported_once(args: tuple[str, ...], suite: Suite) -> None:
    warns = "import warnings\ndef test_warns(): warnings.warn('careful', UserWarning)"
    directory = suite(test_good=GOOD, test_broken=BROKEN, test_failing=FAILING, test_warns=warns)
    run = run_pytest(directory, "-k", "good or test_3 or warns", *args)
    (error,) = run.events(CollectError)
    assert error.nodeid == "test_broken.py"
    assert "nothing_of_this_name" in error.longrepr
    assert reasons(run) == []
    assert run.counted == {"passed": 2, "failed": 1}
    counts = {"passed": 2, "failed": 1, "error": 1, "warnings": 1}
    assert run.finish.counts == (counts if "xdist" in args else counts | {"deselected": 8})
    assert run.exitcode == run.finish.exitstatus == 1
    (finish,) = run.events(CollectFinish)
    assert (finish.count, finish.deselected) == (3, 8)
    nodeids = ["test_failing.py::test_3", "test_good.py::test_good", "test_warns.py::test_warns"]
    assert [test.nodeid for test in run.collected] == nodeids
    (warning,) = run.events(WarningRaised)
    assert (warning.message, warning.category, warning.line) == ("careful", "UserWarning", 2)
    assert warning.nodeid == "test_warns.py::test_warns"
    assert warning.file.endswith("test_warns.py")


def test_every_file_broken(suite: Suite) -> None:
    run = run_pytest(suite(test_one=BROKEN, test_two=BROKEN))
    assert {error.nodeid for error in run.events(CollectError)} == {"test_one.py", "test_two.py"}


def test_no_file_to_collect(tmp_path: Path) -> None:
    run = run_pytest(tmp_path)
    assert (run.exitcode, run.finish.exitstatus) == (5, 5)
    assert run.events(CollectFinish)[0].count == 0
    assert run.events(Collect) == []


@BOTH
def test_stopping_at_the_first_failures(args: tuple[str, ...], suite: Suite) -> None:
    run = run_pytest(suite(test_failing=FAILING), "--maxfail=2", *args)
    assert reasons(run) == ["maxfail"]
    assert run.counted["failed"] == run.finish.counts["failed"] >= 2
    assert run.finish.exitstatus == run.exitcode
    if not args:
        assert run.counted == {"failed": 2}


def test_a_run_of_the_last_failures(suite: Suite) -> None:
    directory = suite(test_two="def test_bad(): assert 0\ndef test_good(): pass")
    cache = ("-p", "cacheprovider")
    plain_pytest(directory, *cache)
    run = run_pytest(directory, *cache, "--lf")
    assert run.counted == {"failed": 1}
    assert run.events(CollectFinish)[0].count == 1


def test_help_and_usage_errors_have_an_end(suite: Suite) -> None:
    run = run_pytest(suite(test_good=GOOD), "--version")
    # pytest 9 answers before it loads any plugin; then nobody connects.
    assert (run.exitcode, [end.exitstatus for end in run.events(RunFinish)]) == (0, [0] * run.connections)
    run = run_pytest(suite(test_good=GOOD), "no_such_file.py")
    assert (run.exitcode, run.finish.exitstatus) == (4, 4)
    run = run_pytest(suite(test_good=GOOD), "--no-such-option")
    assert (run.exitcode, run.connections) == (4, 1)


def test_an_internal_error_is_reported(suite: Suite) -> None:
    conftest = "def pytest_collection_modifyitems(): raise RuntimeError('of a plugin')"
    run = run_pytest(suite(conftest=conftest, test_good=GOOD))
    assert (run.exitcode, run.finish.exitstatus, reasons(run)) == (3, 3, ["internal"])
    assert "of a plugin" in run.events(RunCancel)[0].detail


@BOTH
def test_a_call_of_exit_and_a_fixture_that_ends_after_it(args: tuple[str, ...], suite: Suite) -> None:
    text = """
        import time

        import pytest


        @pytest.fixture(scope="session")
        def server():
            yield
            time.sleep(0.03)


        def test_one(server): pass
        def test_exit(server): pytest.exit("enough", 7)
    """
    run = run_pytest(suite(test_late=text), *args)
    assert run.finish.exitstatus == run.exitcode
    if not args:
        assert (run.exitcode, reasons(run)) == (7, ["interrupt"])
        assert run.events(RunCancel)[0].detail == "enough"
    (late,) = run.events(FixtureLate)
    assert (late.name, late.scope, late.first_user) == ("server", "session", "test_late.py::test_one")
    assert 30 <= late.teardown_ns / MS < 5_000


@BOTH
def test_an_interrupt_from_outside(args: tuple[str, ...], suite: Suite) -> None:
    directory = suite(test_long="import time\ndef test_one(): pass\ndef test_long(): time.sleep(30)")
    with listening() as listener:
        process = subprocess.Popen(
            [sys.executable, str(BOOTSTRAP), "-p", "no:cacheprovider", *QUIET, *args],
            cwd=directory,
            env=environment(listener),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(lambda: any(_starts_long(line.event) for line in list(listener.lines)))
        wait_until(lambda: any(isinstance(line.event, FinishedTest) for line in list(listener.lines)))
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
        listener.wait_idle()
    run = Run(process.returncode, "", listener.lines, listener.connections)
    assert (run.exitcode, run.finish.exitstatus) == (2, 2)
    assert reasons(run) == ["interrupt"]
    assert len(run.records) == 1


@BOTH
def test_an_interrupt_in_a_teardown_leaves_the_outcome_known(args: tuple[str, ...], suite: Suite) -> None:
    source = """
        import pytest
        @pytest.fixture
        def late():
            yield
            raise KeyboardInterrupt
        def test_first(): pass
        def test_late(late): pass
        def test_never(): pass
    """
    run = run_pytest(suite(test_late=source), *args)
    assert run.exitcode == 2
    own = next(record for record in run.records if record.nodeid.endswith("::test_late"))
    assert (own.outcome, [phase.when for phase in own.phases]) == ("passed", ["setup", "call"])
    assert run.counted["passed"] == run.finish.counts["passed"]


def _starts_long(event: object) -> bool:
    return isinstance(event, StartedTest) and event.nodeid.endswith("::test_long")


def test_thousands_of_tests_come_in_chunks(suite: Suite) -> None:
    many = "import pytest\n@pytest.mark.parametrize('i', range(2000))\ndef test_many(i): pass"
    run = run_pytest(suite(test_many=many), "--collect-only", "-q")
    assert [len(chunk.tests) for chunk in run.events(Collect)] == [500] * 4
    assert run.events(CollectFinish)[0].count == 2000
    assert isinstance(run.lines[-1].event, RunFinish)
    assert run.records == []
