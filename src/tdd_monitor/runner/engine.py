"""The loop: wait for a wish, choose the tests, run pytest, apply what it says.

It owns the order of lines: what the screen sees, what is recorded and what the state is made of
are the same lines in the same order.
"""

import asyncio
import contextlib
import time
import traceback
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tdd_monitor.config import Settings
from tdd_monitor.history.recording import Recorder
from tdd_monitor.protocol.events import (
    FinishedTest,
    Line,
    LinesLost,
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
    ServerSeen,
)
from tdd_monitor.verdict import Board

from .control import Listener
from .endings import peculiarities
from .journal import Journal
from .last_words import last_words
from .launch import environment, pytest_command
from .process import INTERRUPT_GRACE_S, TERMINATE_GRACE_S, PytestProcess, StartError, signal_name
from .save_watch import SaveWatch
from .selection import Selection, affected, shell_command, touches_run, with_unfinished
from .server import Server, ServerError
from .server_count import ServerCounts, was_refused

DRAIN_S = 2.0
# Not even a killed process need end, when the kernel holds it.
LONGEST_END_S = INTERRUPT_GRACE_S + TERMINATE_GRACE_S + DRAIN_S + 3.0
NOT_STARTED = 127  # the shell's exit code for it
INTERNAL_ERROR = 3  # pytest's
OUTPUT_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Target:
    """What is run: pytest's paths and arguments, the interpreter, the directory it starts in."""

    python: str
    cwd: Path
    paths: tuple[str, ...] = ()
    pytest_args: tuple[str, ...] = ()
    memory_mode: str = "rss"


class Engine:
    """Runs pytest and keeps the board; a Control."""

    can_run = True

    def __init__(
        self, settings: Settings, target: Target, recorder: Recorder | None = None, watch: bool = False
    ) -> None:
        self.settings = settings
        self.target = target
        self.board = Board(settings.thresholds)
        self.title = " ".join(target.paths) or target.cwd.name
        self.output: deque[str] = deque(maxlen=OUTPUT_LINES)
        self._journal = Journal(self.board, recorder)
        self.notices = self._journal.notices
        self._server = Server(self._on_stream_line)
        self._counts = ServerCounts(self._journal.emit)
        self._process: PytestProcess | None = None
        self._wish: Selection | None = Selection("first run")
        self._wished = asyncio.Event()
        self._held_finish: tuple[Line, bytes] | None = None
        self._over = asyncio.Event()  # no run is going
        self._over.set()
        self._cancelled = self._cancelled_by_key = self._killed = self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._saves = SaveWatch(settings, self._journal, self._on_saves, watch)
        self._repeats = False  # the wish is only for data that changed during the run

    # Control

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with the Delta of every line that changed something."""
        self._journal.subscribe(listener)

    @property
    def recording_failed(self) -> bool:
        """True when the recording is not whole; a notice says why."""
        return self._journal.recording_failed

    @property
    def watching(self) -> bool:
        """Files are watched and saves rerun."""
        return self._saves.wanted

    def now_ns(self) -> int:
        """Monotonic time, the same clock as the plugin's on this machine."""
        return time.monotonic_ns()

    async def start(self) -> None:
        """Open the socket and begin the first run; watch files when asked to. Again: nothing."""
        if self._tasks:
            return
        try:
            await self.open()
        except ServerError as error:
            self._journal.notice(str(error))
            return
        self._wished.set()
        self._tasks.append(asyncio.create_task(self._loop()))
        if self._saves.wanted:
            self._saves.start()

    async def open(self) -> None:
        """Open the socket only: for a single run without the loop. Raises ServerError."""
        await self._server.start()
        self._tasks.append(asyncio.create_task(self._journal.keep_flushing()))

    async def stop(self) -> None:
        """End everything. pytest gets its time: interrupt, after 5 s SIGTERM, after 10 s SIGKILL.

        A run that was cancelled with the key already is killed at once. In every case the recording gets
        the end of the run.
        """
        self._stopping = True
        if self._cancelled_by_key:
            self.kill()
        else:
            self._interrupt("the monitor was quit")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), LONGEST_END_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._saves.stop()
        await self._counts.stop()
        await self._server.stop()
        self._journal.close()

    def rerun(self, nodeids: Sequence[str] | None, reason: str) -> None:
        """Run these items, None for all, as soon as the run that is going has been cancelled."""
        self._wish, self._repeats = Selection(reason, tuple(nodeids or ())), False
        self._interrupt("another run was asked for")
        self._wished.set()

    def cancel(self) -> None:
        """Interrupt the run; asked twice, kill it. Saves that wait for its end are dropped too."""
        self._wish = None
        self._wished.clear()
        if self._over.is_set():
            return
        if self._cancelled:
            self.kill()
        self._cancelled_by_key = True
        self._interrupt("cancelled from the keyboard")

    def kill(self) -> None:
        """Kill the run that is going, if there is one, without any grace."""
        self._interrupt("killed from the keyboard")
        if not self._over.is_set():
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def toggle_watching(self) -> None:
        """Switch rerunning on save off and on."""
        self._saves.toggle()
        self._journal.tell_run_changed()

    def command(self, nodeids: Sequence[str]) -> str:
        """The shell command that runs these items in plain pytest."""
        arguments = self._arguments(Selection("", tuple(nodeids)))
        return shell_command(self.target.python, arguments, self.target.pytest_args)

    # One run

    async def run_once(self, selection: Selection) -> int:
        """Run pytest on `selection` to its end; returns its exit code, 128 + n for signal n.

        Whatever goes wrong ends the run as lost and says why; it never raises.
        """
        self._over.clear()
        self._held_finish = None
        self._cancelled = self._cancelled_by_key = self._killed = False
        self._journal.clear_notices()
        self.output.clear()
        try:
            code = await self._run_pytest(selection)
            self._close_run(code)
            return _exit_code(code)
        except (StartError, ServerError) as error:
            return self._lose(NOT_STARTED, str(error))
        except Exception as error:
            reason = traceback.format_exception_only(error)[-1].strip()
            return self._lose(INTERNAL_ERROR, f"The run was lost, because the monitor failed: {reason}.")
        except asyncio.CancelledError:
            self._lose(INTERNAL_ERROR, "The run did not end, so it was left.")
            raise
        finally:
            self._process = None
            self._over.set()

    async def _run_pytest(self, selection: Selection) -> int:
        run_id = uuid.uuid4().hex
        self._server.expect(run_id)
        scope = "all" if selection.everything else "some"
        self._journal.emit(
            RunRequest(run_id, scope, selection.reason, len(selection.nodeids), files=selection.files)
        )
        await self._counts.stop()  # it may still ask for limits
        arguments = [*self.target.pytest_args, *self._arguments(selection)]
        await self._server.restart_if_gone()
        env = environment(self._server.address, self._server.token, run_id, self.target.memory_mode)
        command = pytest_command(self.target.python, arguments, self._server.directory)
        self._process = await PytestProcess.start(command, env, self.target.cwd, self.output.append)
        if self._cancelled:  # asked for while the process was being made
            self._process.cancel()
        if self._killed:
            self._process.kill()
        code = await self._process.wait()
        if not await self._server.drained(DRAIN_S):
            self._server.disconnect()
        await self._counts.stop()
        return code

    def _lose(self, code: int, reason: str) -> int:
        """End the run that is going here and now; returns `code`."""
        if self._process is not None:
            self._process.kill()
        self._server.disconnect()
        self._journal.notice(reason)
        self._journal.emit(RunLost(code, output=reason))
        return code

    def _close_run(self, code: int) -> None:
        missing, malformed = self._server.missing, self._server.malformed
        if missing or malformed:
            self._journal.emit(LinesLost(missing, malformed))
        if self._held_finish is not None:
            self._journal.take(*self._held_finish)
        else:
            last = "\n".join(last_words(list(self.output)))
            self._journal.emit(RunLost(_exit_code(code), signal_name(code), last))
        run = self.board.session.run
        assert run is not None
        for text in peculiarities(run, self.board.session.workers.values(), _exit_code(code), self.output):
            self._journal.notice(text)

    def _arguments(self, selection: Selection) -> list[str]:
        return selection.arguments(self._told_rootdir(), self.target.cwd, self.target.paths)

    def _told_rootdir(self) -> str:
        """pytest's rootdir, "" before the first hello."""
        hello = next((run.hello for run in reversed(self.board.session.runs) if run.hello), None)
        return hello.rootdir if hello else ""

    def _interrupt(self, why: str) -> None:
        if self._over.is_set() or self._cancelled:
            return
        self._cancelled = True
        self._journal.emit(RunCancel("cancelled", why))
        if self._process is not None:
            self._process.cancel()

    # Loops

    async def _loop(self) -> None:
        while not self._stopping:
            await self._wished.wait()
            self._wished.clear()
            selection, self._wish = self._wish, None
            if selection is not None and not self._stopping:
                self._saves.written.began(self._repeats)
                self._repeats = False
                await self.run_once(selection)
                self._saves.written.ended()
                self._counts.ask_limits()

    def _on_saves(self, changed: Sequence[Path]) -> None:
        at_once, later = self._saves.sort(changed)
        if at_once:
            self._on_save(at_once)
        if later:  # when the run is over
            selection = affected(self.board.session, later, self._rootdir())
            self._repeats = self._wish is None
            self._wish = selection if self._wish is None else self._wish.united(selection)
            self._wished.set()

    def _on_save(self, changed: Sequence[Path]) -> None:
        session = self.board.session
        selection = affected(session, changed, self._rootdir())
        if self._wish is not None:
            selection = self._wish.united(selection)
        run = session.run
        if run is not None and run.active and touches_run(session, selection):
            selection = with_unfinished(session, selection)
            self._interrupt(selection.reason)
        self._wish, self._repeats = selection, False
        self._wished.set()

    def _rootdir(self) -> Path:
        rootdir = self._told_rootdir()
        return Path(rootdir) if rootdir else self.settings.root

    # Lines

    def _on_stream_line(self, line: Line, raw: bytes) -> None:
        if isinstance(line.event, ServerSeen) and self.settings.count_connections:
            self._counts.follow(line.event.url, line.event.superuser)
        if isinstance(line.event, FinishedTest) and was_refused(line.event):
            self._counts.let_go()
        if isinstance(line.event, RunFinish):
            # The controller may end before the last lines of its workers have been read.
            self._held_finish = (line, raw)
        else:
            self._journal.take(line, raw)


def _exit_code(code: int) -> int:
    """As a shell tells it: 128 + n for signal n."""
    return code if code >= 0 else 128 - code
