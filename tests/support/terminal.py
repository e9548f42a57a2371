"""A program in a pseudo-terminal, and the screen that it paints there."""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pexpect
import pyte


def _act_on_signals() -> None:
    """A shell in the background ignores SIGINT, and so do all whom it starts; a terminal's do not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


class Terminal:
    """Runs a command in a terminal of `columns` x `rows` characters."""

    def __init__(self, command: Sequence[str], cwd: Path, columns: int = 80, rows: int = 24) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.received = b""  # all that the program has written
        # pytest-xdist exports these to its workers, and Textual believes them more than the terminal.
        inherited = {name: os.environ[name] for name in os.environ if name not in ("LINES", "COLUMNS")}
        env = {**inherited, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = pexpect.spawn(
            command[0],
            list(command[1:]),
            cwd=str(cwd),
            dimensions=(rows, columns),
            env=env,
            preexec_fn=_act_on_signals,
        )

    @property
    def text(self) -> str:
        """What is on the screen now."""
        return "\n".join(self._screen.display)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size, as the user does with the window."""
        self._screen.resize(rows, columns)
        self.process.setwinsize(rows, columns)

    def press(self, keys: str) -> None:
        """Type `keys`."""
        self.process.send(keys)

    def read(self) -> bytes:
        """All that the program has written until now."""
        self._read()
        return self.received

    def shows(self, *texts: str, timeout_s: float = 60) -> str:
        """Wait until all of `texts` are on the screen at once; returns the screen."""
        deadline = time.monotonic() + timeout_s
        while not all(text in self.text for text in texts):
            assert time.monotonic() < deadline, f"{texts} did not appear on\n{self.text}"
            self._read()
        return self.text

    def ends(self, timeout_s: float = 60) -> int:
        """Wait for its end; returns the exit code."""
        deadline = time.monotonic() + timeout_s
        while self.process.isalive():
            assert time.monotonic() < deadline, f"still going:\n{self.text}"
            self._read()
        self._read()  # its last words
        self.process.close()
        return int(self.process.exitstatus or 0)

    def close(self) -> None:
        """Kill it if it is still there."""
        self.process.close(force=True)

    def _read(self) -> None:
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            data = self.process.read_nonblocking(1 << 16, timeout=0.1)
            self.received += data
            self._stream.feed(data)
