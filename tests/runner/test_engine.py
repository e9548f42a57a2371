import os
import shutil
import signal
from pathlib import Path

import pytest
from support.projects import MIXED, MIXED_COUNTS, QUIET, appears, ended, engine_for, reached, started, write

from tdd_monitor.config import Settings
from tdd_monitor.runner import engine as engine_module
from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.pytest_process import process
from tdd_monitor.runner.replay import Replay
from tdd_monitor.session.model import ItemState, RunState

SLOW = """
import pathlib, time, pytest

def test_first(): pass

def test_slow():
    pathlib.Path("up").touch()
    time.sleep({seconds})
    pathlib.Path("done").touch()

def test_last(): pass
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grace of an interrupted pytest is 5 s; a machine that is busy needs more for the same work."""
    monkeypatch.setattr(process, "INTERRUPT_GRACE_S", 60.0)
    monkeypatch.setattr(engine_module, "MAX_SHUTDOWN_S", 90.0)


@pytest.mark.parametrize(
    "args", [(), ("-p", "xdist", "-n", "1"), ("-p", "no:terminal"), ("-p", "no:cacheprovider", "-q")]
)
async def test_a_run_counts_as_pytest_does(tmp_path: Path, args: tuple[str, ...]) -> None:
    engine = engine_for(write(tmp_path, test_mixed=MIXED), *args)
    assert await run_headless(engine) == 1
    run = engine.board.session.run
    assert run is not None and run.state is RunState.FINISHED
    assert {word: count for word, count in run.counts.items() if count} == MIXED_COUNTS
    assert run.expected == run.done == len(engine.board.session.items) == 7


async def test_a_replay_ends_in_the_state_of_the_live_run(tmp_path: Path) -> None:
    record = tmp_path / "run.ndjson"
    engine = engine_for(write(tmp_path, test_mixed=MIXED), "-p", "xdist", "-n", "1", record=record)
    async with started(engine) as session:
        await reached(session, ended(1))
        engine.rerun([nodeid for nodeid in session.items if "fails" in nodeid], "failed")
        await reached(session, ended(2))
    replay = Replay(Settings(root=tmp_path), record, speed=None)
    await replay.finished()
    live = engine.board.session
    for run in live.runs:
        if run.hello is not None:  # the token is not kept
            run.hello = run.hello._replace(token="-")
    assert replay.board.session == live
    assert replay.board.of_test == engine.board.of_test


async def test_a_rerun_runs_only_the_requested_tests(tmp_path: Path) -> None:
    engine = engine_for(write(tmp_path, test_mixed=MIXED))
    async with started(engine) as session:
        await reached(session, ended(1))
        wanted = ["tests/test_mixed.py::test_fails"]
        engine.rerun(wanted, "failed")
        run = await reached(session, ended(2))
    assert run.done == run.expected == 1 and run.reason == "failed"
    assert [item.nodeid for item in session.items.values() if item.record_run == 2] == wanted
    assert len(session.items) == 7


async def test_a_run_finds_the_monitor_when_its_socket_was_removed(tmp_path: Path) -> None:
    engine = engine_for(write(tmp_path, test_mixed=MIXED))
    async with started(engine) as session:
        await reached(session, ended(1))
        shutil.rmtree(engine._server.directory)
        engine.rerun(["tests/test_mixed.py::test_passes"], "current")
        run = await reached(session, ended(2))
    assert (run.state, run.counts, run.exitstatus) == (RunState.FINISHED, {"passed": 1}, 0)


async def test_more_node_ids_than_a_command_line_holds(tmp_path: Path) -> None:
    source = (
        "import pytest\n@pytest.mark.parametrize('x', ['v' * 500 + str(i) for i in range(200)])\n"
        "def test_x(x): pass\n"
    )
    engine = engine_for(write(tmp_path, test_many=source))
    async with started(engine) as session:
        await reached(session, ended(1))
        engine.rerun(list(session.items)[:150], "marked")
        run = await reached(session, ended(2))
    assert run.done == 150 and run.exitstatus == 0


async def test_the_test_that_ran_when_pytest_was_killed_is_lost(tmp_path: Path) -> None:
    engine = engine_for(write(tmp_path, test_slow=SLOW.format(seconds=60)))
    async with started(engine) as session:
        await appears(tmp_path / "up")
        run = await reached(session, lambda run: run.done == 1)
        assert engine._run is not None and engine._run.process is not None
        os.kill(engine._run.process.pid, signal.SIGKILL)
        await reached(session, ended(1))
    assert run.state is RunState.LOST
    assert run.lost is not None and run.lost.signal == "SIGKILL"
    assert run.lost_nodeids == ("tests/test_slow.py::test_slow",)
    assert session.items["tests/test_slow.py::test_slow"].outcome == "lost"
    assert session.items["tests/test_slow.py::test_last"].state is ItemState.IDLE


async def test_cancel_interrupts_and_keeps_results(tmp_path: Path) -> None:
    engine = engine_for(write(tmp_path, test_slow=SLOW.format(seconds=60)), *QUIET)
    async with started(engine) as session:
        await appears(tmp_path / "up")
        engine.cancel()
        assert session.run is not None and session.run.state is RunState.CANCELLING
        run = await reached(session, ended(1))
    assert run.exitstatus == 2
    assert session.items["tests/test_slow.py::test_first"].outcome == "passed"
    assert not (tmp_path / "done").exists()


async def test_a_rerun_cancels_the_run_in_progress(tmp_path: Path) -> None:
    engine = engine_for(write(tmp_path, test_slow=SLOW.format(seconds=60)), *QUIET)
    async with started(engine) as session:
        await appears(tmp_path / "up")
        engine.rerun(["tests/test_slow.py::test_first"], "current")
        run = await reached(session, ended(2))
    assert run.counts == {"passed": 1}


async def test_a_save_reruns_its_tests(tmp_path: Path) -> None:
    root = write(tmp_path, test_a="def test_a(): pass\n", test_b="def test_b(): pass\n")
    engine = engine_for(root, watch=True)
    async with started(engine) as session:
        await reached(session, ended(1))
        (root / "tests" / "test_a.py").write_text("def test_a(): assert 0\ndef test_new(): pass\n")
        run = await reached(session, ended(2))
        assert run.reason == "saved test_a.py"
        assert run.counts == {"failed": 1, "passed": 1}
        assert session.items["tests/test_b.py::test_b"].record_run == 1
        (root / "tests" / "test_a.py").write_text("def test_a(): pass\n")
        await reached(session, ended(3))
    assert set(session.items) == {"tests/test_a.py::test_a", "tests/test_b.py::test_b"}


async def test_a_save_during_a_run_is_not_lost(tmp_path: Path) -> None:
    root = write(tmp_path, test_slow=SLOW.format(seconds=60))
    engine = engine_for(root, *QUIET, watch=True)
    async with started(engine) as session:
        await appears(tmp_path / "up")
        (root / "tests" / "test_slow.py").write_text("def test_first(): pass\ndef test_slow(): pass\n")
        run = await reached(session, ended(2))
    assert run.counts == {"passed": 2}


async def test_an_empty_suite_ends_as_in_pytest(tmp_path: Path) -> None:
    engine = engine_for(write(tmp_path, test_it=""))
    assert await run_headless(engine) == 5


async def test_a_collection_error_names_the_file(tmp_path: Path) -> None:
    engine = engine_for(
        write(tmp_path, test_bad="import nonexistent_module\n", test_ok="def test_x(): pass\n")
    )
    assert await run_headless(engine) == 2
    run = engine.board.session.run
    assert run is not None and [error.nodeid for error in run.collect_errors] == ["tests/test_bad.py"]
    assert "nonexistent_module" in run.collect_errors[0].longrepr
    assert run.counts["error"] == 1


async def test_arguments_that_pytest_does_not_know_are_shown(tmp_path: Path) -> None:
    engine = engine_for(write(tmp_path, test_mixed=MIXED), "--no-such-option")
    assert await run_headless(engine) == 4
    assert "--no-such-option" in engine.notices[-1]
