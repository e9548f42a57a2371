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


# One worker shows what is special about a distribution; two show that only one reports the collection.
# test_matrix.py does so for loadscope.
DISTRIBUTIONS = [("loadgroup", 2), ("load", 1), ("loadfile", 1), ("worksteal", 1)]


@pytest.mark.parametrize(("dist", "workers"), DISTRIBUTIONS)
def test_every_distribution(dist: str, workers: int, suite: Suite) -> None:
    run = run_pytest(suite(test_groups=GROUPS), "-p", "xdist", f"-n{workers}", "--dist", dist)
    run.assert_well_formed()
    assert run.counted == {"passed": 10} == run.finish.counts, run.output
    assert len(run.events(CollectFinish)) == 1
    assert {test.nodeid for test in run.collected} == set(workers_of(run))
    assert "test_groups.py::test_grouped[a@b]" in workers_of(run)
    assert {line.worker for line in run.lines if isinstance(line.event, Collect)} == {"gw0"}
    assert run.connections == 1 + workers
    if dist == "loadgroup" and sys.executable == PYTHON:  # xdist 3.8 with pytest 9.2 spreads groups by itself
        grouped = {worker for nodeid, worker in workers_of(run).items() if "grouped" in nodeid}
        assert len(grouped) == 1


def test_a_worker_that_crashes_is_replaced(suite: Suite) -> None:
    run = run_pytest(suite(test_crash=CRASH), "-p", "xdist", "-n1")
    run.assert_well_formed()
    assert run.counted == {"passed": 8, "failed": 1} == run.finish.counts
    crash = run.test("::test_crash")
    (phase,) = crash.phases
    assert (phase.when, crash.outcome, crash.attempt) == ("???", "failed", 1)
    assert "crashed while running" in phase.longrepr
    (down,) = [down for down in run.events(WorkerDown) if down.crashed]
    (line,) = [line for line in run.lines if line.event == crash]
    assert line.worker == down.id == workers_of(run)["test_crash.py::test_crash"]
    assert {up.id for up in run.events(WorkerUp)} == {"gw0", "gw1"}
    assert {hello.role for hello in run.events(Hello)} == {"controller", "worker"}


def test_a_worker_that_crashes_in_a_teardown_and_is_not_replaced(suite: Suite) -> None:
    source = """
        import os
        import time

        import pytest


        @pytest.fixture
        def deadly():
            yield
            time.sleep(0.3)
            os._exit(9)
        @pytest.mark.parametrize("i", range(4))
        def test_many(i): pass
        def test_deadly(deadly): pass
        def test_never(): pass
    """
    run = run_pytest(suite(test_deadly=source), "-p", "xdist", "-n1", "--max-worker-restart=0")
    assert [(down.id, down.crashed) for down in run.events(WorkerDown)] == [("gw0", True)]
    # pytest counts what it had heard of the test, and the crash.
    assert run.counted == run.finish.counts == {"passed": 5, "failed": 1}
    assert [phase.when for phase in run.test("::test_deadly").phases] == ["call", "???"]
    assert run.finish.exitstatus == run.exitcode


def test_workers_that_fail_at_their_start(suite: Suite) -> None:
    conftest = "import os\nif 'PYTEST_XDIST_WORKER' in os.environ: os._exit(5)"
    directory = suite(conftest=conftest, test_one="def test_one(): pass")
    run = run_pytest(directory, "-p", "xdist", "-n1", "--max-worker-restart=1")
    assert run.records == []
    assert run.finish.exitstatus == run.exitcode
    assert len(run.events(WorkerDown)) == 2


def test_a_remote_worker_reports_through_the_controller(suite: Suite, socket_server: str) -> None:
    """Its suite is so large that node ids and outcomes come in many batches."""
    many = f"""
        import pytest
        @pytest.mark.parametrize("i", range(300), ids=lambda i: {"x" * 2_000!r} + str(i))
        def test_many(i): pass
    """
    directory = suite(test_remote=REMOTE, test_large=many)
    options = ("-p", "xdist", "--dist=load", f"--tx={socket_server}", f"--rsyncdir={directory}")
    run = run_pytest(directory, *options, str(directory))
    assert run.counted == {"passed": 302, "failed": 1}, run.output
    assert run.finish.counts["passed"] == 302
    assert len(run.collected) == len(run.events(StartedTest)) == 303
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
    # The other clock is known better with every line: the later translation gives the earlier time.
    assert all(0 <= starts[record.nodeid] - record.started_ns < 30_000 * MS for record in run.records)


@pytest.mark.environments
def test_a_worker_of_another_environment(suite: Suite) -> None:
    # xdist gives its sys.path to such workers, so that they must be of the same Python.
    version = f"3.{sys.version_info.minor}"
    other = require(interpreters.made(version, interpreters.BARE))
    args = ("-p", "xdist", "--dist=load", f"--tx=popen//python={other}")
    run = run_pytest(suite(test_remote=REMOTE), *args, python=sys.executable)
    run.assert_well_formed()
    assert run.counted == {"passed": 2, "failed": 1}, run.output
    assert {line.worker for line in run.lines} == {"", "gw0"}
