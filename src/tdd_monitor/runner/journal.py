"""Records lines, applies them to the board and notifies the listeners, in order of arrival."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from tdd_monitor.figures import plural
from tdd_monitor.history.recording import Recorder
from tdd_monitor.protocol.codec import encode
from tdd_monitor.protocol.events import Event, Line
from tdd_monitor.session.model import Delta
from tdd_monitor.testing.measuring.baseline_file import BASELINE_FILE
from tdd_monitor.verdict import Board
from tdd_monitor.verdict.regressions import Judgement

from .control import Listener

FLUSH_EVERY_S = 0.5  # at most this much is lost when the monitor is killed


class Journal:
    """Processes every line; `notices` are problems outside the tests, newest last."""

    def __init__(self, board: Board, recorder: Recorder | None) -> None:
        self.board = board
        self.notices: deque[str] = deque(maxlen=20)
        self._kept_notices: list[str] = []
        self._recorder = recorder
        self._listeners: list[Listener] = []
        self._seq = 0

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with the Delta of each line that changed the session."""
        self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        """Process an event that the monitor itself emits."""
        self._seq += 1
        line = Line(self._seq, time.monotonic_ns(), "", event)
        self.receive(line, encode(line).rstrip(b"\n"))

    def receive(self, line: Line, raw: bytes) -> None:
        """Process a line of the stream, decoded from `raw`."""
        if self._recorder is not None:
            self._recorder.write(line, raw)
        delta = self.board.apply(line)
        if delta:
            for listener in self._listeners:
                listener(delta)

    def notice(self, text: str) -> None:
        """Show a notice that says what went wrong and what to do."""
        self.notices.append(text)
        self.notify_run_changed()

    def keep_notice(self, text: str) -> None:
        """Show a notice that stays valid in later runs."""
        if text not in self._kept_notices:
            self._kept_notices.append(text)
            self.notice(text)

    def clear_notices(self) -> None:
        """Drop the notices of the last run, except those that are kept."""
        self.notices.clear()
        self.notices.extend(self._kept_notices)

    def judged(self, run_id: str, judgement: Judgement) -> None:
        """Take over what the history says about a run, unless the next one has begun."""
        run = self.board.session.run
        if run is not None and run.id == run_id:
            self.board.judgement = judgement
            self.notify_run_changed()

    def accepted(self, nodeids: Sequence[str]) -> None:
        """Report which tests have a new baseline; they are no longer regressed."""
        if self.board.judgement is not None:
            self.board.judgement = self.board.judgement.without(nodeids)
        if nodeids:
            name = nodeids[0] if len(nodeids) == 1 else plural(len(nodeids), "test")
            self.notice(f"New baseline: {name}. Commit {BASELINE_FILE} to share it.")
        else:
            self.notice(
                "No new baseline: only a test that passed at its first attempt in the last run has one."
            )

    def notify_run_changed(self) -> None:
        """Notify the listeners of a change that no line carries: notices, watching."""
        for listener in self._listeners:
            listener(Delta(run=True))

    async def keep_flushing(self) -> None:
        """Flush the recording to disk periodically and report failures."""
        while self._recorder is not None:
            await asyncio.sleep(FLUSH_EVERY_S)
            self._recorder.flush()
            self._report_recorder_error()

    def close(self) -> None:
        """Close the recording and report a failure."""
        if self._recorder is not None:
            self._recorder.close()
            self._report_recorder_error()

    @property
    def recording(self) -> Path | None:
        """The absolute path of the recording; None without one."""
        return None if self._recorder is None else self._recorder.path.absolute()

    @property
    def recording_failed(self) -> bool:
        """True when the recording is incomplete; a notice says why."""
        return self._recorder is not None and bool(self._recorder.error)

    def _report_recorder_error(self) -> None:
        # A new run clears the notices, but this one is still valid.
        if self._recorder is not None and self._recorder.error and self._recorder.error not in self.notices:
            self.notice(self._recorder.error)
