"""Tests that pull the rug from under the plugin: numbers stay right, or the stream stays alive at least."""

import sys

import pytest

from plugin.conftest import Suite
from plugin.harness import MS, Run, run_pytest
from tdd_monitor.protocol.events import Hello, RunFinish, StartedTest, WarningRaised

XDIST = ("-p", "xdist", "-n1")

HOSTILE = """
    import gc
    import io
    import os
    import signal
    import sys
    import threading
    import time

    import pytest


    def test_sees_no_request(): assert not [name for name in os.environ if name.startswith("TDD_MONITOR")]
    def test_clears_environ(): os.environ.clear()
    def test_changes_directory(tmp_path): os.chdir(tmp_path)
    def test_replaces_stdout(monkeypatch): monkeypatch.setattr(sys, "stdout", io.StringIO())
    def test_freezes_gc():
        gc.freeze()
        gc.disable()
    def test_sees_no_thread_of_ours():
        names = {thread.name for thread in threading.enumerate()}
        assert not [name for name in names if "tdd" in name], names
    def test_starts_threads():
        threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(20)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    def test_installs_signal_handlers():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, lambda *args: None)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        time.sleep(0.03)
        signal.setitimer(signal.ITIMER_REAL, 0)
    def test_limits_resources():
        resource = pytest.importorskip("resource")
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    def test_blocks_signals(): signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    def test_patches_clocks(monkeypatch):
        for name in ("time", "monotonic", "perf_counter", "process_time"):
            monkeypatch.setattr(time, name, lambda: 0.0)
            monkeypatch.setattr(time, name + "_ns", lambda: 0)
    def test_sleeps(): time.sleep(0.05)
"""
DESCRIPTORS = """
    import os


    def close_all():
        kept = {0, 1, 2} | {int(os.environ.get("KEPT", 0))}
        for fd in map(int, os.listdir("/proc/self/fd")):
            path = f"/proc/self/fd/{fd}"
            try: target = os.readlink(path)
            except OSError: continue
            if fd not in kept and ("socket:" in target or "statm" in target): os.close(fd)


    def test_before(): pass
    def test_closes_descriptors(): close_all()
    def test_after(): bytearray(20 << 20)
    def test_closes_and_reuses_them(tmp_path):
        close_all()
        global files
        files = [os.open(tmp_path / str(n), os.O_RDWR | os.O_CREAT) for n in range(8)]
        for fd in range(900, 1020):
            try: os.dup2(files[0], fd)
            except OSError: break
            files.append(fd)
    def test_files_are_untouched():
        assert all(os.fstat(fd).st_size == 0 for fd in files)
        for fd in files: os.close(fd)
    def test_last(): pass
"""
FORKS = """
    import multiprocessing
    import os
    import threading


    def test_before(): pass
    def test_forks_and_exits():
        pid = os.fork()
        if not pid: os._exit(0)
        os.waitpid(pid, 0)
    def test_forks_by_multiprocessing():
        process = multiprocessing.get_context("fork").Process(target=print)
        process.start()
        process.join()
        assert process.exitcode == 0
    def test_one_thread(): assert threading.active_count() == 1
"""
RETURNS = """
    import os


    def test_child_returns_into_pytest(tmp_path):
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        else:
            assert 0, "a failure of the child alone"
    def test_last(): pass
"""
INNER = """
    pytest_plugins = ["pytester"]


    def test_in_process(pytester):
        pytester.makepyfile("def test_inner(): pass")
        pytester.runpytest_inprocess("-p", "tdd_monitor.plugin").assert_outcomes(passed=1)
    def test_subprocess(pytester):
        pytester.makepyfile("def test_inner(): pass")
        pytester.runpytest_subprocess().assert_outcomes(passed=1)
"""
CLOCKS = """
    import datetime
    import time

    import freezegun
    import pytest
    import time_machine


    @pytest.fixture
    def frozen():
        with freezegun.freeze_time("2001-01-01"):
            time.sleep(0.02)
            yield


    def test_frozen(frozen):
        assert datetime.date.today().year == 2001
        time.sleep(0.05)
    @time_machine.travel("1970-01-02", tick=False)
    def test_travels(): time.sleep(0.05)
"""


def outcomes(run: Run) -> set[str]:
    return {record.outcome for record in run.records}


@pytest.mark.parametrize("args", [(), XDIST], ids=["single", "xdist"])
def test_a_hostile_suite_is_reported_in_full(args: tuple[str, ...], suite: Suite) -> None:
    run = run_pytest(suite(test_hostile=HOSTILE), *args)
    run.assert_well_formed()
    assert (run.exitcode, outcomes(run)) == (0, {"passed"}), run.output
    assert len(run.records) == 12
    assert run.counted == {"passed": 12} == run.finish.counts
    assert 50 <= run.phase("::test_sleeps", "call").wall_ns / MS < 5_000
    assert all(record.phases[-1].rss_bytes > 1 << 20 for record in run.records)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_closed_descriptors_are_reopened_and_those_of_others_left_alone(suite: Suite) -> None:
    run = run_pytest(suite(test_descriptors=DESCRIPTORS), "-p", "no:faulthandler")
    run.assert_well_formed()
    assert (run.exitcode, outcomes(run), len(run.records)) == (0, {"passed"}, 6), run.output
    assert len(run.events(Hello)) == run.connections >= 2
    assert all(phase.rss_bytes > 1 << 20 for record in run.records for phase in record.phases)
    assert run.finish.counts == {"passed": 6}


def test_children_are_silent(suite: Suite, newest: str) -> None:
    directory = suite(test_forks=FORKS, test_returns=RETURNS)
    # From Python 3.12 on a fork of a process with threads warns.
    run = run_pytest(directory, "-W", "error::DeprecationWarning", python=newest)
    assert run.exitcode == 0, run.output
    assert (run.connections, len(run.events(Hello)), len(run.events(RunFinish))) == (1, 1, 1)
    assert [record.outcome for record in run.records] == ["passed"] * 6
    assert len(run.events(StartedTest)) == 6


def test_children_of_workers_are_silent(suite: Suite, newest: str) -> None:
    # Workers have threads of execnet's, and a child that returns breaks execnet's pipe.
    run = run_pytest(suite(test_forks=FORKS), *XDIST, "-W", "ignore::DeprecationWarning", python=newest)
    assert run.connections == len(run.events(Hello)) == 2
    assert [record.outcome for record in run.records][:3] == ["passed"] * 3
    assert len(run.events(StartedTest)) == 4


def test_a_pytest_within_a_test_is_silent(suite: Suite) -> None:
    run = run_pytest(suite(test_inner=INNER))
    assert run.exitcode == 0, run.output
    assert [record.nodeid for record in run.records] == [
        "test_inner.py::test_in_process",
        "test_inner.py::test_subprocess",
    ]
    assert run.connections == 1


def test_frozen_and_travelling_clocks_do_not_affect_times(suite: Suite, newest: str) -> None:
    run = run_pytest(suite(test_clocks=CLOCKS), "-p", "time_machine", python=newest)
    run.assert_well_formed()
    assert run.exitcode == 0, run.output
    assert 50 <= run.phase("::test_frozen", "call").wall_ns / MS < 5_000
    assert 50 <= run.phase("::test_travels", "call").wall_ns / MS < 5_000
    assert 20 <= run.fixture("::test_frozen", "frozen").setup_ns / MS < 5_000
    times = [line.t_ns for line in run.lines]
    assert times == sorted(times)


def test_a_pytest_that_exits_in_a_test_leaves_it_running(suite: Suite) -> None:
    directory = suite(test_exit="def test_one(): pass\ndef test_two():\n    import os; os._exit(3)")
    run = run_pytest(directory)
    assert run.exitcode == 3
    assert not run.events(RunFinish)
    assert [record.nodeid for record in run.records] == ["test_exit.py::test_one"]
    assert run.events(StartedTest)[-1].nodeid == "test_exit.py::test_two"


def test_sigkill_leaves_the_running_test_known(suite: Suite) -> None:
    kill = "import os, signal\ndef test_one(): pass\ndef test_two(): os.kill(os.getpid(), signal.SIGKILL)"
    run = run_pytest(suite(test_kill=kill))
    assert run.exitcode == -9
    assert run.events(StartedTest)[-1].nodeid == "test_kill.py::test_two"
    assert len(run.records) == 1


def test_a_fault_of_the_plugin_is_reported_and_does_no_harm(suite: Suite) -> None:
    conftest = """
        def pytest_runtest_logstart(nodeid):
            if nodeid.endswith("test_two"):
                from tdd_monitor.plugin import wire
                wire.passed = None
    """
    directory = suite(conftest=conftest, test_fault="def test_one(): pass\ndef test_two(): pass")
    run = run_pytest(directory, complete=False)
    assert run.problems == ["pytest counted 2 passed; the monitor received 1."]
    assert run.exitcode == 0
    (warning,) = run.events(WarningRaised)
    assert "plugin failed" in warning.message
    assert "recorder.py" in warning.message
    assert run.finish == RunFinish(0, {"passed": 2})
