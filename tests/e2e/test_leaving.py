"""Every way to quit: pytest gets its grace period, the terminal is restored, no process is left behind."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.hidden import hide
from support.patience import PATIENT_MONITOR
from support.projects import QUIET, SLOW_END, write
from support.terminal import Terminal

from tdd_monitor.history import recording
from tdd_monitor.protocol.events import Hello, RunFinish, RunLost

pytestmark = pytest.mark.usefixtures("no_plugins")

# How long the teardown of the shared fixture takes: until a file exists, perhaps for ever.
ENDS_SOON = SLOW_END.format(seconds=0.1)
ENDS_ON_FILE = SLOW_END.replace(
    "time.sleep({seconds})", "while not pathlib.Path('go').exists(): time.sleep(0.01)"
)

ENTERS_SCREEN, LEAVES_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"  # the alternate screen


def watching(root: Path, source: str, *prefix: str) -> Terminal:
    write(root, test_it=source)
    command = [*PATIENT_MONITOR, "watch", "tests", "--record", "r", "--", *QUIET]
    terminal = Terminal([*prefix, *command], root)
    until((root / "up").exists)
    terminal.shows("test_waits", "running")
    return terminal


def until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pytest_pid(root: Path) -> int:
    return next(line.event.pid for line in recording.read(root / "r") if isinstance(line.event, Hello))


def test_quitting_shows_that_pytest_is_ending(tmp_path: Path) -> None:
    terminal = watching(tmp_path, ENDS_ON_FILE)
    terminal.press("q")
    terminal.shows("A run is in progress.")
    terminal.press("y")
    terminal.shows("Waiting for pytest to exit", "q kill")
    (tmp_path / "go").touch()
    assert terminal.ends() == 0
    assert (tmp_path / "ended").exists()
    assert isinstance(list(recording.read(tmp_path / "r"))[-1].event, (RunFinish, RunLost))


@pytest.mark.parametrize("keys", ["xq", "qyq"])
def test_a_second_key_kills_at_once(tmp_path: Path, keys: str) -> None:
    terminal = watching(tmp_path, ENDS_ON_FILE)
    answers = {"xq": ["x again to kill", ""], "qyq": ["A run is in progress", "q kill", ""]}[keys]
    for key, shown in zip(keys, answers, strict=True):
        terminal.press(key)
        terminal.shows(shown)
    assert terminal.ends() == 0
    last = list(recording.read(tmp_path / "r"))[-1].event
    assert isinstance(last, RunLost) and last.signal == "SIGKILL"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_quits(tmp_path: Path, number: signal.Signals) -> None:
    terminal = watching(tmp_path, ENDS_SOON)
    terminal.process.kill(number)
    assert terminal.ends() == 0
    assert (tmp_path / "ended").exists()
    assert not psutil.pid_exists(pytest_pid(tmp_path))
    for mode in (LEAVES_SCREEN, b"\x1b[?1000l"):  # mouse reporting
        assert mode in terminal.received


IGNORES_HANGUPS = ("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")


@pytest.mark.parametrize(
    ("hidden", "prefix"),
    [((), ()), (("textual.drivers.linux_driver:LinuxDriver._writer_thread",), ()), ((), IGNORES_HANGUPS)],
    ids=["plain", "another Textual", "SIGHUP ignored"],
)
def test_a_closed_terminal_quits(
    tmp_path: Path, hidden: tuple[str, ...], prefix: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "changed").mkdir()
    monkeypatch.setenv("PYTHONPATH", hide(tmp_path / "changed", *hidden)["PYTHONPATH"])
    terminal = watching(tmp_path, ENDS_SOON, *prefix)
    until(lambda: b'"test_start"' in (tmp_path / "r").read_bytes())
    monitor, tests = terminal.process.pid, pytest_pid(tmp_path)
    terminal.process.ptyproc.fileobj.close()
    terminal.process.closed = terminal.process.ptyproc.closed = True  # or it closes that descriptor again
    until(lambda: os.waitpid(monitor, os.WNOHANG)[0] == monitor)
    assert (tmp_path / "ended").exists()
    assert not psutil.pid_exists(tests)
    assert isinstance(list(recording.read(tmp_path / "r"))[-1].event, (RunFinish, RunLost))


def test_ctrl_z_suspends_and_fg_brings_it_back(tmp_path: Path) -> None:
    write(tmp_path, test_it="def test_ok(): pass\n")
    terminal = Terminal(["bash", "--norc", "-i"], tmp_path, 120, 36)
    terminal.press(f"{sys.executable} -m tdd_monitor watch tests\n")
    terminal.shows("test_ok", "main · ended")
    terminal.press("\x1a")
    terminal.shows("Stopped")
    assert terminal.received.count(LEAVES_SCREEN) == 1
    terminal.press("fg\n")
    until(lambda: terminal.read().count(ENTERS_SCREEN) == 2)
    terminal.press("?")
    terminal.shows("Next row")
    terminal.press("\x1b")
    until(lambda: "Next row" not in (terminal.read() and terminal.text))
    terminal.press("q")
    until(lambda: terminal.read().count(LEAVES_SCREEN) == 2)
    terminal.press("exit 7\n")
    assert terminal.ends() == 7
