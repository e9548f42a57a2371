"""Replays a recording: the same lines, at the recorded pace or faster."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from tdd_monitor.config import Settings
from tdd_monitor.history import recording
from tdd_monitor.protocol.events import Line, RunLost
from tdd_monitor.session.model import Delta
from tdd_monitor.verdict import Board

from .control import Listener
from .selection import shell_command

LONGEST_PAUSE_S = 1.0  # skips the idle minutes between two runs
_CHUNK = 200  # lines applied before yielding to the screen


class Replay:
    """Feeds a board from a file; a Control that cannot run tests."""

    can_run = False
    watching = False

    def __init__(self, settings: Settings, path: Path, speed: float | None = 1.0) -> None:
        """`speed` multiplies the recorded pace; None replays at once.

        Raises RecordingError when the file is not a recording.
        """
        self.board = Board(settings.thresholds, settings.overrides)
        self.title = f"replay of {path.name}"
        self.output: deque[str] = deque(maxlen=10_000)
        self.notices: deque[str] = deque(maxlen=20)
        self._speed = speed
        self._lines = list(recording.read(path))
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None
        self._at = time.monotonic()

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with the changes after each line or chunk of lines."""
        self._listeners.append(listener)

    def now_ns(self) -> int:
        """The recording's time: its last line's, plus the time played since then."""
        if self._speed is None or self._task is None or self._task.done():
            return self.board.session.now_ns
        return self.board.session.now_ns + int((time.monotonic() - self._at) * self._speed * 1e9)

    async def start(self) -> None:
        """Start playing."""
        if self._task is None:
            self._task = asyncio.create_task(self._play())

    async def stop(self) -> None:
        """Stop playing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def finished(self) -> None:
        """Wait until the last line has been applied."""
        await self.start()
        assert self._task is not None
        await self._task

    async def _play(self) -> None:
        last_ns: int | None = None
        for start in range(0, len(self._lines), _CHUNK if self._speed is None else 1):
            chunk = self._lines[start : start + (_CHUNK if self._speed is None else 1)]
            if self._speed is not None and last_ns is not None:
                pause_s = (chunk[0].t_ns - last_ns) / 1e9
                if pause_s > 0:
                    await asyncio.sleep(min(pause_s, LONGEST_PAUSE_S) / self._speed)
            last_ns = chunk[-1].t_ns
            self._apply(chunk)
            if self._speed is None:
                await asyncio.sleep(0)

    def _apply(self, lines: Sequence[Line]) -> None:
        changed = Delta()
        for line in lines:
            changed.merge(self.board.apply(line))
            if isinstance(line.event, RunLost):
                self.output.extend(line.event.output.splitlines())
        self._at = time.monotonic()
        for listener in self._listeners:
            listener(changed)

    def rerun(self, nodeids: Sequence[str] | None, reason: str) -> None:
        """Do nothing: a recording cannot run tests."""

    def cancel(self) -> None:
        """Do nothing: a recording cannot be cancelled."""

    def kill(self) -> None:
        """Do nothing: there is no process to kill."""

    def toggle_watching(self) -> None:
        """Do nothing: a recording watches no files."""

    def accept(self, nodeids: Sequence[str]) -> None:
        """Do nothing: a recording sets no baseline."""

    def command(self, nodeids: Sequence[str]) -> str:
        """The shell command that would run these items, from the directory of the recorded run."""
        return shell_command("python", nodeids, ())
