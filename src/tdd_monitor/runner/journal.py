"""The one order of lines: recorded, applied to the board and told to the listeners, as they came."""

import asyncio
import time
from collections import deque
from pathlib import Path

from tdd_monitor.history.recording import Recorder
from tdd_monitor.protocol.codec import encode
from tdd_monitor.protocol.events import Event, Line
from tdd_monitor.session.model import Delta
from tdd_monitor.verdict import Board

from .control import Listener

FLUSH_EVERY_S = 0.5  # what a kill -9 of the monitor may cost


class Journal:
    """Takes every line in; `notices` says what went wrong around the run, newest last."""

    def __init__(self, board: Board, recorder: Recorder | None) -> None:
        self.board = board
        self.notices: deque[str] = deque(maxlen=20)
        self._kept_notices: list[str] = []
        self._recorder = recorder
        self._listeners: list[Listener] = []
        self._seq = 0

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with the Delta of every line that changed something."""
        self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        """Take in an event of the monitor's own."""
        self._seq += 1
        line = Line(self._seq, time.monotonic_ns(), "", event)
        self.take(line, encode(line).rstrip(b"\n"))

    def take(self, line: Line, raw: bytes) -> None:
        """Take in a line of the stream, which was read from `raw`."""
        if self._recorder is not None:
            self._recorder.write(line, raw)
        delta = self.board.apply(line)
        if delta:
            for listener in self._listeners:
                listener(delta)

    def notice(self, text: str) -> None:
        """Say what went wrong, and what to do."""
        self.notices.append(text)
        self.tell_run_changed()

    def keep_notice(self, text: str) -> None:
        """Say it, and again in the next runs: it still holds then."""
        if text not in self._kept_notices:
            self._kept_notices.append(text)
            self.notice(text)

    def clear_notices(self) -> None:
        """A new run begins."""
        self.notices.clear()
        self.notices.extend(self._kept_notices)

    def tell_run_changed(self) -> None:
        """Let the listeners look again at what is no line: notices, watching."""
        for listener in self._listeners:
            listener(Delta(run=True))

    async def keep_flushing(self) -> None:
        """Put what was recorded on disk now and then, and say when that fails."""
        while self._recorder is not None:
            await asyncio.sleep(FLUSH_EVERY_S)
            self._recorder.flush()
            self._tell_recorder_error()

    def close(self) -> None:
        """End the recording, and say when that fails."""
        if self._recorder is not None:
            self._recorder.close()
            self._tell_recorder_error()

    @property
    def recording(self) -> Path | None:
        """The file that is recorded to."""
        return None if self._recorder is None else self._recorder.path.absolute()

    @property
    def recording_failed(self) -> bool:
        """True when the recording is not whole; a notice has said why."""
        return self._recorder is not None and bool(self._recorder.error)

    def _tell_recorder_error(self) -> None:
        # A new run clears the notices, and this one still holds.
        if self._recorder is not None and self._recorder.error and self._recorder.error not in self.notices:
            self.notice(self._recorder.error)
