"""The one order of lines: recorded, applied to the board and told to the listeners, as they came."""

import asyncio
import time
from collections import deque

from tdd_monitor.history.recording import Recorder
from tdd_monitor.protocol.codec import encode
from tdd_monitor.protocol.events import Event, Line
from tdd_monitor.session.model import Delta
from tdd_monitor.verdict import Board

from .control import Listener


class Journal:
    """Takes every line in; `notices` says what went wrong around the run, newest last."""

    def __init__(self, board: Board, recorder: Recorder | None) -> None:
        self.board = board
        self.notices: deque[str] = deque(maxlen=20)
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

    def tell_run_changed(self) -> None:
        """Let the listeners look again at what is no line: notices, watching."""
        for listener in self._listeners:
            listener(Delta(run=True))

    async def keep_flushing(self) -> None:
        """Put what was recorded on disk now and then, and say when that fails."""
        while True:
            await asyncio.sleep(1.0)
            if self._recorder is not None:
                self._recorder.flush()
                if self._recorder.error and self._recorder.error not in self.notices:
                    self.notice(self._recorder.error)

    def close(self) -> None:
        """End the recording."""
        if self._recorder is not None:
            self._recorder.close()
