"""Should the screen crash, the terminal is given back, and traceback and exit code say so."""

import sys
from pathlib import Path

from support import streams
from support.terminal import Terminal

from tdd_monitor.protocol.codec import encode

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
