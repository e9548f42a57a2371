"""Foreign text (names, messages, output) reaches neither the terminal nor the clipboard unescaped."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import streams
from support.terminal import Terminal

from tdd_monitor.protocol.codec import encode
from tdd_monitor.protocol.events import (
    CollectedTest,
    CollectError,
    FinishedTest,
    FixtureUse,
    Line,
    Phase,
    PoolSample,
    Sample,
    Section,
    WarningRaised,
    WorkerUp,
)
from tdd_monitor.ui.app import MonitorApp

MakeApp = Callable[..., MonitorApp]

EVIL = "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[2J\x1bc\x9b31m\u202egnp\r\x08\x07"
NAMES = ["tests/test_a.py::test[\x1b]0;owned\x07]", "tests/test_a.py::test[\u202egnp; reboot]"]


def hostile() -> list[Line]:
    """A run whose every text contains terminal control sequences."""
    stream = streams.Stream()
    stream.open("run-1", "all", EVIL)
    names = [*NAMES, *(f"tests/{EVIL}.py::test_{number}{EVIL * 40}" for number in range(200))]
    stream.emit(CollectError(f"tests/{EVIL}.py", EVIL * 100))
    stream.emit(WarningRaised(EVIL * 10, EVIL, names[0], f"{EVIL}.py", 3))
    stream.collect([CollectedTest(name, f"tests/{EVIL}.py", 1) for name in names])
    stream.emit(WorkerUp(EVIL))
    for name in names:
        phase = Phase("call", "failed", 400_000_000, 1000, 60 << 20, 30 << 20, EVIL * 200)
        phase = phase._replace(sections=(Section(EVIL, EVIL * 200),))
        fixture = FixtureUse(EVIL, "session", 9_000_000, 9_000_000, first_user=name)
        stream.emit(FinishedTest(name, "failed", 1, 1, (phase,), (fixture,), metrics={EVIL: 1.0}), EVIL)
    stream.emit(Sample(60 << 20, pools=(PoolSample(EVIL, EVIL, 3, 1, 4, 4, 2),)), EVIL)
    return stream.lines


def test_no_raw_sequence_reaches_the_terminal(tmp_path: Path) -> None:
    recording = tmp_path / "hostile.ndjson"
    recording.write_bytes(b"".join(map(encode, hostile())))
    assert recording.stat().st_size > 1 << 20
    command = [sys.executable, "-m", "tdd_monitor", "replay", str(recording), "--at-once"]
    terminal = Terminal(command, tmp_path, 120, 36)
    terminal.shows("202/202")
    shown = (("\r", "Totals"), ("]", "call failed"), ("\x1b", "Tests"), ("o", "Not collected 1"))
    for key, text in shown:
        terminal.press(key)
        terminal.shows(text)
    terminal.press("]]")
    terminal.shows("▐Warnings 1")
    terminal.press("q")
    assert terminal.ends() == 0
    assert b"owned" in terminal.received  # the text got through, its control sequences did not
    # Textual itself sets the pointer shape (OSC 22).
    assert not re.search(rb"\x1b\](?!22;)|b3duZWQ=\x07|\x1bc|\x9b31m", terminal.received)
    assert "\u202e".encode() not in terminal.received


@pytest.mark.asyncio
async def test_what_is_copied_is_safe_to_paste_and_still_names_the_tests(make_app: MakeApp) -> None:
    stream = streams.Stream()
    stream.open("run-1", "all", "start")
    stream.collect([CollectedTest(nodeid, "tests/test_a.py", 1) for nodeid in NAMES])
    app = make_app(stream.lines)
    async with app.run_test(size=(110, 36)) as pilot:
        await pilot.pause()
        app.repaint()
        await pilot.press("space", "space", "y")
        await pilot.pause()
        assert app.clipboard == (
            r"$'tests/test_a.py::test[\x1b]0;owned\x07]' $'tests/test_a.py::test[\xe2\x80\xaegnp; reboot]'"
        )
