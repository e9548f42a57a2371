"""The main loop: wait for a request, select the tests, run pytest, apply its events.

It owns the order of lines: the screen, the recording and the session get the same lines in the same order.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from tdd_monitor.config import Settings
from tdd_monitor.history.recording import Recorder
from tdd_monitor.protocol.events import FinishedTest, Line, RunFinish, ServerSeen
from tdd_monitor.session import queries
from tdd_monitor.verdict import Board

from .control import Listener
from .history_writer import HistoryWriter
from .journal import Journal
from .pytest_process.launch import Target
from .pytest_process.process import INTERRUPT_GRACE_S, TERMINATE_GRACE_S
from .run import DRAIN_S, PytestRun
from .selection import Selection, affected, shell_command, touches_run, with_unfinished
from .server_count import ServerCounts, was_refused
from .stream.server import Server, ServerError
from .watching.save_watch import SaveWatch

# Even a killed process may not exit while it is blocked in the kernel.
MAX_SHUTDOWN_S = INTERRUPT_GRACE_S + TERMINATE_GRACE_S + DRAIN_S + 3.0
OUTPUT_LINES = 10_000


class Engine:
    """Runs pytest and updates the board; a Control."""

    can_run = True

    def __init__(
        self, settings: Settings, target: Target, recorder: Recorder | None = None, watch: bool = False
    ) -> None:
        self.settings = settings
        self.target = target
        self.board = Board(settings.thresholds, settings.overrides)
        self.title = " ".join(target.paths) or target.cwd.name
        self.output: deque[str] = deque(maxlen=OUTPUT_LINES)
        self._journal = Journal(self.board, recorder)
        self.notices = self._journal.notices
        self._server = Server(self._on_stream_line)
        self._counts = ServerCounts(self._journal.emit)
        self._history = HistoryWriter(
            settings.root, settings.history_url, self._journal.keep_notice, self._journal.judged
        )
        self._run: PytestRun | None = None
        self._request: Selection | None = Selection("first run")
        self._requested = asyncio.Event()
        self._idle = asyncio.Event()  # no run in progress
        self._idle.set()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._saves = SaveWatch(settings, self._journal, self._on_saves, watch)
        self._repeats = False  # the request comes only from data that changed during the run

    # Control

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with the Delta of each line that changed the session."""
        self._journal.subscribe(listener)

    @property
    def recording_failed(self) -> bool:
        """True when the recording is incomplete; a notice says why."""
        return self._journal.recording_failed

    @property
    def watching(self) -> bool:
        """Files are watched and saves rerun."""
        return self._saves.wanted

    def now_ns(self) -> int:
        """Monotonic time, the same clock as the plugin's on this machine."""
        return time.monotonic_ns()

    async def start(self) -> None:
        """Open the socket, start the first run and watch files if requested. Idempotent."""
        if self._tasks:
            return
        try:
            await self.open()
        except ServerError as error:
            self._journal.notice(str(error))
            return
        self._requested.set()
        self._tasks.append(asyncio.create_task(self._loop()))
        if self._saves.wanted:
            self._saves.start()

    async def open(self) -> None:
        """Open only the socket, for a single run without the loop. Raises ServerError."""
        await self._server.start()
        self._tasks.append(asyncio.create_task(self._journal.keep_flushing()))

    async def stop(self) -> None:
        """Shut down. pytest is interrupted, gets SIGTERM after 5 s and SIGKILL after 10 s.

        A run already cancelled with the key is killed at once. The end of the run is always recorded.
        """
        self._stopping = True
        if self._run is not None and self._run.cancelled_by_key:
            self._run.kill()
        else:
            self._interrupt("the monitor quit")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), MAX_SHUTDOWN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._saves.stop()
        await self._counts.stop()
        await self._server.stop()
        await self._history.close()
        self._journal.close()

    def rerun(self, nodeids: Sequence[str] | None, reason: str) -> None:
        """Run these items, None for all, once the run in progress has been cancelled."""
        self._request, self._repeats = Selection(reason, tuple(nodeids or ())), False
        self._interrupt("another run was requested")
        self._requested.set()

    def cancel(self) -> None:
        """Interrupt the run; a second call kills it. Also drops pending saves."""
        self._request = None
        self._requested.clear()
        if self._run is not None:
            self._run.cancel()

    def kill(self) -> None:
        """Kill the run in progress, if any, without a grace period."""
        if self._run is not None:
            self._run.kill()

    def toggle_watching(self) -> None:
        """Switch rerunning on save off and on."""
        self._saves.toggle()
        self._journal.notify_run_changed()

    def accept(self, nodeids: Sequence[str]) -> None:
        """Make the last figures of these tests their baseline; a notice says which were accepted."""
        if self.settings.keeps_history:
            self._history.accept(self.board.session, nodeids, self._journal.accepted)
        else:
            self._journal.notice('No new baseline: [tool.tdd-monitor] has history = "off".')

    def command(self, nodeids: Sequence[str]) -> str:
        """The shell command that runs these items in plain pytest."""
        rootdir = queries.rootdir(self.board.session)
        arguments = Selection("", tuple(nodeids)).arguments(rootdir, self.target.cwd, self.target.paths)
        return shell_command(self.target.python, arguments, self.target.pytest_args)

    # One run

    async def run_once(self, selection: Selection) -> int:
        """Run pytest on `selection` to its end; returns its exit code, 128 + n for signal n.

        Never raises: any failure ends the run as lost and is reported.
        """
        self._idle.clear()
        self._journal.clear_notices()
        self.output.clear()
        self._run = PytestRun(self.target, self._journal, self._server, self._counts, self.output)
        try:
            code = await self._run.to_end(selection)
            if self.settings.keeps_history:
                self._history.add(self.board.session)
            return code
        finally:
            self._run = None
            self._idle.set()

    def _interrupt(self, why: str) -> None:
        if self._run is not None:
            self._run.interrupt(why)

    # Loops

    async def _loop(self) -> None:
        while not self._stopping:
            await self._requested.wait()
            self._requested.clear()
            selection, self._request = self._request, None
            if selection is not None and not self._stopping:
                self._saves.written.began(self._repeats)
                self._repeats = False
                await self.run_once(selection)
                self._saves.written.ended()
                self._counts.check_limits()

    def _on_saves(self, changed: Sequence[Path]) -> None:
        at_once, later = self._saves.sort(changed)
        if at_once:
            self._on_save(at_once)
        if later:  # rerun when the run has finished
            selection = affected(self.board.session, later, self._rootdir())
            self._repeats = self._request is None
            self._request = selection if self._request is None else self._request.merged(selection)
            self._requested.set()

    def _on_save(self, changed: Sequence[Path]) -> None:
        session = self.board.session
        selection = affected(session, changed, self._rootdir())
        if self._request is not None:
            selection = self._request.merged(selection)
        run = session.run
        if run is not None and run.active and touches_run(session, selection):
            selection = with_unfinished(session, selection)
            self._interrupt(selection.reason)
        self._request, self._repeats = selection, False
        self._requested.set()

    def _rootdir(self) -> Path:
        rootdir = queries.rootdir(self.board.session)
        return Path(rootdir) if rootdir else self.settings.root

    # Lines

    def _on_stream_line(self, line: Line, raw: bytes) -> None:
        if isinstance(line.event, ServerSeen) and self.settings.count_connections:
            self._counts.follow(line.event.url, line.event.superuser)
        if isinstance(line.event, FinishedTest) and was_refused(line.event):
            self._counts.withdraw()
        if isinstance(line.event, RunFinish):
            if self._run is not None:
                self._run.hold_finish(line, raw)
        else:
            self._journal.receive(line, raw)
