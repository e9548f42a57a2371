"""Whatever goes wrong with a run ends it as lost and is reported, and the next request works."""

import asyncio
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.patience import PATIENT_MONITOR
from support.projects import QUIET, SLOW_END, appears, becomes, ended, engine_for, reached, started, write

from tdd_monitor.history import recording
from tdd_monitor.protocol.events import Hello, RunFinish, RunLost
from tdd_monitor.runner import engine as engine_module
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.pytest_process import process
from tdd_monitor.runner.pytest_process.launch import Target
from tdd_monitor.session.model import RunState

OK = "def test_ok(): pass\n"


async def test_a_node_id_that_no_program_accepts(tmp_path: Path) -> None:
    engine = engine_for(write(tmp_path, test_ok=OK))
    async with started(engine) as session:
        await reached(session, ended(1))
        for number, nodeid in ((2, "tests/test_ok.py::test_ok\0"), (3, "tests/test_ok.py::\ud800")):
            engine.rerun([nodeid], "marked")
            run = await reached(session, ended(number))
            assert run.exitstatus not in (0, None), nodeid
            assert engine.output or engine.notices, nodeid
        engine.rerun(None, "all")
        assert (await reached(session, ended(4))).counts == {"passed": 1}


def no_directory(root: Path, engine: Engine) -> Callable[[], None]:
    shutil.rmtree(root)

    def undo() -> None:
        root.mkdir()
        write(root, test_ok=OK)

    return undo


def no_files(root: Path, engine: Engine) -> Callable[[], None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, hard))

    def undo() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(taken[0])

    return undo


def no_interpreter(root: Path, engine: Engine) -> Callable[[], None]:
    target = engine.target
    engine.target = Target("/no/such/python", target.cwd, target.paths)
    return lambda: setattr(engine, "target", target)


def no_temporary_directory(root: Path, engine: Engine) -> Callable[[], None]:
    kept, tempfile.tempdir = tempfile.tempdir, str(root / "gone")
    return lambda: setattr(tempfile, "tempdir", kept)


def no_server_directory(root: Path, engine: Engine) -> Callable[[], None]:
    server = engine._server
    kept, server._temporary = server._temporary, None  # an assertion of the monitor fails
    return lambda: setattr(server, "_temporary", kept)


FAULTS = {
    no_directory: (127, ["the directory", "is gone"]),
    no_files: (127, ["Too many open files", "ulimit -n"]),
    no_interpreter: (127, ["/no/such/python cannot be started", "--python"]),
    no_temporary_directory: (127, ["gone", "TMPDIR"]),
    no_server_directory: (3, ["The run was lost because the monitor failed", "AssertionError"]),
}


async def test_a_run_that_cannot_start_says_why_and_the_next_one_works(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    engine = engine_for(write(root, test_ok=OK))
    async with started(engine) as session:
        number = 1
        await reached(session, ended(number))
        for spoil, (code, words) in FAULTS.items():
            undo = spoil(root, engine)
            try:
                engine.rerun(None, "all")
                run = await reached(session, ended(number + 1))
            finally:
                undo()
            assert run.state is RunState.LOST and run.exitstatus == code, spoil
            notice = engine.notices[-1]
            assert [word for word in words if word not in notice] == []
            assert ("--python" in notice) == (spoil is no_interpreter)
            engine.rerun(None, "all")
            number += 2
            assert (await reached(session, ended(number))).counts == {"passed": 1}, spoil


STUBBORN = """
import pathlib, signal, time

def test_waits():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path("up").touch()
    time.sleep(60)
"""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grace is 5 s; a machine that is busy needs more for the same work."""
    assert process.INTERRUPT_GRACE_S == 5
    monkeypatch.setattr(process, "INTERRUPT_GRACE_S", 60.0)
    monkeypatch.setattr(engine_module, "MAX_SHUTDOWN_S", 90.0)


# A teardown that goes on until it is allowed to end.
LONG_TEARDOWN = """
import pathlib, time, pytest

@pytest.fixture(scope="session", autouse=True)
def server():
    yield
    pathlib.Path("ending").touch()
    for _ in range(12_000):
        if pathlib.Path("may_end").exists(): break
        time.sleep(0.01)
    pathlib.Path("ended").touch()

def test_waits():
    pathlib.Path("up").touch()
    time.sleep(60)
"""


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("rerun", [False, True], ids=["quit", "rerun, then quit"])
async def test_quitting_lets_the_teardown_finish(tmp_path: Path, rerun: bool) -> None:
    engine = engine_for(write(tmp_path, test_it=LONG_TEARDOWN), *QUIET, record=tmp_path / "r")
    await engine.start()
    await appears(tmp_path / "up")
    if rerun:
        engine.rerun(None, "all")
    stopping = asyncio.create_task(engine.stop())
    await appears(tmp_path / "ending")
    assert not stopping.done()
    (tmp_path / "may_end").touch()
    await stopping
    assert (tmp_path / "ended").exists()
    assert isinstance(list(recording.read(tmp_path / "r"))[-1].event, RunFinish)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("how", ["cancelled before", "killed meanwhile"])
async def test_quitting_twice_kills_at_once(tmp_path: Path, how: str) -> None:
    engine = engine_for(write(tmp_path, test_it=STUBBORN), record=tmp_path / "r")
    await engine.start()
    await appears(tmp_path / "up")
    if how == "cancelled before":
        engine.cancel()
    stopping = asyncio.create_task(engine.stop())
    if how == "killed meanwhile":
        await reached(engine.board.session, lambda run: run.state is RunState.CANCELLING)
        assert not stopping.done()
        engine.kill()
    await asyncio.wait_for(stopping, 30)  # the grace is more than sixty
    last = list(recording.read(tmp_path / "r"))[-1].event
    assert isinstance(last, RunLost) and last.signal == "SIGKILL"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
async def test_a_recording_on_a_full_disk_is_reported(tmp_path: Path) -> None:
    engine = engine_for(write(tmp_path, test_ok=OK), record=Path("/dev/full"))
    assert await run_headless(engine) == 1
    assert "Recording to /dev/full stopped: No space left" in engine.notices[-1]


async def test_a_recording_survives_kill_minus_nine(tmp_path: Path) -> None:
    root = write(tmp_path, test_it=OK + SLOW_END.format(seconds=0))
    command = [sys.executable, "-m", "tdd_monitor", "run", "--record", "r", "tests"]
    monitor = await asyncio.create_subprocess_exec(*command, cwd=root, stdout=asyncio.subprocess.DEVNULL)
    await appears(tmp_path / "up")
    await becomes(lambda: b'"test"' in (tmp_path / "r").read_bytes())
    monitor.send_signal(signal.SIGKILL)
    await monitor.wait()
    lines = list(recording.read(tmp_path / "r"))
    pid = next(line.event.pid for line in lines if isinstance(line.event, Hello))
    os.killpg(pid, signal.SIGKILL)


# What a shell does to the commands that a script starts in the background.
BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")


@pytest.mark.parametrize(
    ("number", "shell"),
    [(signal.SIGTERM, BACKGROUND), (signal.SIGHUP, ())],
    ids=["SIGTERM in the background", "SIGHUP"],
)
async def test_a_signal_interrupts_a_run_without_a_screen(
    tmp_path: Path, number: int, shell: tuple[str, ...]
) -> None:
    root = write(tmp_path, test_it=SLOW_END.format(seconds=0.1))
    command = [*shell, *PATIENT_MONITOR, "run", "--record", "r", "tests", "--", *QUIET]
    monitor = await asyncio.create_subprocess_exec(*command, cwd=root, stdout=asyncio.subprocess.DEVNULL)
    await appears(tmp_path / "up")
    monitor.send_signal(number)
    assert await monitor.wait() == 2
    assert (tmp_path / "ended").exists()


async def test_workers_that_die_in_collection_are_reported(tmp_path: Path) -> None:
    root = write(tmp_path, test_it="import os, sys\nif 'PYTEST_XDIST_WORKER' in os.environ: os._exit(7)\n")
    engine = engine_for(root, "-p", "xdist", "-n", "1", "--max-worker-restart", "1")
    assert await run_headless(engine) != 0
    notices = "\n".join(engine.notices)
    assert "gw0" in notices and "before" in notices, notices


async def test_a_death_with_exit_code_0_is_reported(tmp_path: Path) -> None:
    from rich.console import Console

    from tdd_monitor.reports import console as report

    engine = engine_for(write(tmp_path, test_x="def test_x():\n    import os; os._exit(0)\n"))
    code = await run_headless(engine)
    console = Console(record=True, width=150)
    report.summary(engine.board, console, code)
    assert code == 3 and "pytest died (exit code 0" in console.export_text()
