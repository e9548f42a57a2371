"""If the screen crashes, the terminal is restored, and a traceback and the exit code report it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import streams
from support.terminal import Terminal

from tdd_monitor.protocol.codec import encode
from tdd_monitor.ui.app import MonitorApp

CRASHING = """
import sys
from tdd_monitor.cli import main
from tdd_monitor.ui.panels import header

def broken(*_arguments):
    raise ZeroDivisionError("made on purpose")

header.lines = broken
sys.argv[1:] = ["replay", sys.argv[1], "--at-once"]
main()
"""


def test_a_crash_prints_its_traceback_and_fails(tmp_path: Path) -> None:
    recording = tmp_path / "run.ndjson"
    recording.write_bytes(b"".join(map(encode, streams.shop())))
    terminal = Terminal([sys.executable, "-c", CRASHING, str(recording)], tmp_path)
    assert terminal.ends() == 70
    after = terminal.received.rpartition(b"\x1b[?1049l")[2].decode()
    assert "ZeroDivisionError" in after and "made on purpose" in after
    assert "the screen crashed" in after


@pytest.mark.asyncio
async def test_a_frame_due_during_shutdown_is_skipped(
    make_app: Callable[..., MonitorApp],
) -> None:
    app = make_app(streams.shop(stop_after=9))
    async with app.run_test() as pilot:
        await pilot.pause()
        main = app.screen_stack[0]
        close = app._close_all

        async def closing() -> None:
            await main.query("#panels").remove()
            for _ in range(10):  # each frame refreshes one part of the screen
                app._frame()
            await close()

        app._close_all = closing  # type: ignore[method-assign]
