"""pytest-xdist: every distribution, workers that crash, workers without our files and our socket."""

import sys

import pytest

from plugin import interpreters
from plugin.conftest import Suite, require
from plugin.harness import MS, PYTHON, Run, run_pytest
from tdd_monitor.protocol.events import (
    Collect,
    CollectFinish,
    Hello,
    Sample,
    StartedTest,
    WorkerDown,
    WorkerUp,
)

GROUPS = """
    import pytest


    @pytest.mark.xdist_group("one")
    @pytest.mark.parametrize("mail", ["a@b", "c"])
    def test_grouped(mail): pass
    @pytest.mark.parametrize("i", range(6))
    def test_free(i): pass


    class TestScope:
        def test_a(self): pass
        def test_b(self): pass
"""
CRASH = """
    import os
    import time

    import pytest


    @pytest.mark.parametrize("i", range(4))
    def test_many(i): time.sleep(0.01)
    def test_crash(): os._exit(9)
    @pytest.mark.parametrize("i", range(4))
    def test_more(i): time.sleep(0.01)
"""
REMOTE = """
    import time

    import pytest


    @pytest.fixture(scope="session")
    def slow():
        time.sleep(0.03)
        yield


    def test_one(slow): print("said")
    def test_two(slow): assert 0
    def test_three(): time.sleep(0.25)
"""


def workers_of(run: Run) -> dict[str, str]:
    return {line.event.nodeid: line.worker for line in run.lines if isinstance(line.event, StartedTest)}


@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal"])
def test_every_distribution(dist: str, suite: Suite) -> None:
    run = run_pytest(suite(test_groups=GROUPS), "-p", "xdist", "-n2", "--dist", dist)
    run.assert_well_formed()
    assert run.counted == {"passed": 10} == run.finish.counts, run.output
    assert len(run.events(CollectFinish)) == 1
    assert {test.nodeid for test in run.collected} == set(workers_of(run))
    assert "test_groups.py::test_grouped[a@b]" in workers_of(run)
    assert {line.worker for line in run.lines if isinstance(line.event, Collect)} == {"gw0"}
    if dist == "loadgroup" and sys.executable == PYTHON:  # xdist 3.8 with pytest 9.2 spreads groups by itself
        grouped = {worker for nodeid, worker in workers_of(run).items() if "grouped" in nodeid}
        assert len(grouped) == 1


def test_a_worker_that_crashes_is_replaced(suite: Suite) -> None:
    run = run_pytest(suite(test_crash=CRASH), "-p", "xdist", "-n2")
    run.assert_well_formed()
    assert run.counted == {"passed": 8, "failed": 1} == run.finish.counts
    crash = run.test("::test_crash")
    (phase,) = crash.phases
    assert (phase.when, crash.outcome, crash.attempt) == ("???", "failed", 1)
    assert "crashed while running" in phase.longrepr
    (down,) = [down for down in run.events(WorkerDown) if down.crashed]
    (line,) = [line for line in run.lines if line.event == crash]
    assert line.worker == down.id == workers_of(run)["test_crash.py::test_crash"]
    assert {up.id for up in run.events(WorkerUp)} == {"gw0", "gw1", "gw2"}
    assert {hello.role for hello in run.events(Hello)} == {"controller", "worker"}


def test_crashed_workers_that_are_not_replaced(suite: Suite) -> None:
    run = run_pytest(suite(test_crash=CRASH), "-p", "xdist", "-n1", "--max-worker-restart=0")
    assert [(down.id, down.crashed) for down in run.events(WorkerDown)] == [("gw0", True)]
    assert run.counted == {"passed": 4, "failed": 1} == run.finish.counts
    assert run.finish.exitstatus == run.exitcode


def test_a_worker_that_crashes_in_a_teardown(suite: Suite) -> None:
    source = """
        import os
        import time

        import pytest


        @pytest.fixture
        def deadly():
            yield
            time.sleep(0.3)
            os._exit(9)
        def test_deadly(deadly): pass
    """
    run = run_pytest(suite(test_deadly=source), "-p", "xdist", "-n1", "--max-worker-restart=0")
    # pytest counts what it had heard of the test, and the crash.
    assert run.counted == run.finish.counts == {"passed": 1, "failed": 1}
    assert [phase.when for phase in run.test("::test_deadly").phases] == ["call", "???"]


def test_failures_of_a_worker_at_its_start_are_told(suite: Suite) -> None:
    conftest = "import os\nif 'PYTEST_XDIST_WORKER' in os.environ: os._exit(5)"
    run = run_pytest(suite(conftest=conftest, test_one="def test_one(): pass"), "-p", "xdist", "-n1")
    assert run.records == []
    assert run.finish.exitstatus == run.exitcode
    assert run.events(WorkerDown)


def test_a_remote_worker_speaks_through_the_controller(suite: Suite, socket_server: str) -> None:
    directory = suite(test_remote=REMOTE)
    run = run_pytest(
        directory,
        "-p",
        "xdist",
        "--dist=load",
        f"--tx={socket_server}",
        f"--rsyncdir={directory}",
        str(directory),
    )
    assert run.counted == {"passed": 2, "failed": 1}, run.output
    assert run.connections == 1
    assert [hello.role for hello in run.events(Hello)] == ["controller", "worker"]
    assert {line.worker for line in run.lines if not isinstance(line.event, Hello)} == {"", "gw0"}
    assert run.phase("::test_one", "call").sections[0].text == "said\n"
    assert 30 <= run.fixture("::test_one", "slow").setup_ns / MS < 5_000
    assert run.phase("::test_two", "call").rss_bytes > 1 << 20
    assert any(
        sample.rss_bytes for line in run.lines if isinstance(sample := line.event, Sample) and line.worker
    )
    starts = {line.event.nodeid: line.t_ns for line in run.lines if isinstance(line.event, StartedTest)}
    # The other clock is known better with every line.
    assert all(abs(record.started_ns - starts[record.nodeid]) < 50 * MS for record in run.records)
    assert len(run.collected) == 3


def test_a_large_suite_on_a_remote_worker(suite: Suite, socket_server: str) -> None:
    many = f"""
        import pytest
        @pytest.mark.parametrize("i", range(2_000), ids=lambda i: {"x" * 200!r} + str(i))
        def test_many(i): pass
    """
    directory = suite(test_large=many)
    options = ("-p", "xdist", "--dist=load", f"--tx={socket_server}", f"--rsyncdir={directory}")
    run = run_pytest(directory, *options, str(directory))
    assert run.counted == {"passed": 2_000}, run.output
    assert run.finish.counts["passed"] == 2_000
    assert len(run.collected) == len(run.events(StartedTest)) == 2_000


def test_a_worker_of_another_environment(suite: Suite) -> None:
    # xdist gives its sys.path to such workers, so that they must be of the same Python.
    version = f"3.{sys.version_info.minor}"
    other = require(interpreters.made(version, interpreters.BARE))
    args = ("-p", "xdist", "--dist=load", f"--tx=popen//python={other}")
    run = run_pytest(suite(test_remote=REMOTE), *args, python=sys.executable)
    run.assert_well_formed()
    assert run.counted == {"passed": 2, "failed": 1}, run.output
    assert {line.worker for line in run.lines} == {"", "gw0"}


def test_without_xdist_nothing_is_missing(suite: Suite) -> None:
    run = run_pytest(
        suite(test_one="def test_one(): pass"),
        *("-p", "no:xdist"),
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""},
        python=sys.executable,
    )
    run.assert_well_formed()
    assert run.counted == {"passed": 1}
    assert run.hello.role == "single"
