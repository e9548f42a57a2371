"""The loop: wait for a wish, choose the tests, run pytest, apply what it says.

It owns the order of lines: what the screen sees, what is recorded and what the state is made of
are the same lines in the same order.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tdd_monitor.config import Settings
from tdd_monitor.history.recording import Recorder
from tdd_monitor.protocol.events import Line, RunCancel, RunFinish, RunLost, RunRequest, ServerSeen
from tdd_monitor.verdict import Board

from .control import Listener
from .journal import Journal
from .launch import environment, pytest_command
from .process import PytestProcess, signal_name
from .selection import Selection, affected, shell_command, touches_run, with_unfinished
from .server import Server, ServerError
from .server_count import ServerCounts
from .watcher import saves

DRAIN_S = 2.0
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
        self.watching = watch
        self._journal = Journal(self.board, recorder)
        self.notices = self._journal.notices
        self._server = Server(self._on_stream_line)
        self._counts = ServerCounts(self._journal.emit)
        self._process: PytestProcess | None = None
        self._wish: Selection | None = Selection("first run")
        self._wished = asyncio.Event()
        self._held_finish: tuple[Line, bytes] | None = None
        self._cancelled = False
        self._tasks: list[asyncio.Task[None]] = []

    # Control

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with the Delta of every line that changed something."""
        self._journal.subscribe(listener)

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
        self._tasks.append(asyncio.create_task(self._journal.keep_flushing()))
        if self.watching:
            self._tasks.append(asyncio.create_task(self._watch()))

    async def open(self) -> None:
        """Open the socket only: for a single run without the loop. Raises ServerError."""
        await self._server.start()

    async def stop(self) -> None:
        """End pytest (interrupt, then kill after a second), the tasks and the socket."""
        if self._process is not None:
            self._process.cancel()
            for _ in range(20):
                await asyncio.sleep(0.05)
                if self._process is None:
                    break
            else:
                self._process.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._counts.stop()
        await self._server.stop()
        self._journal.close()

    def rerun(self, nodeids: Sequence[str] | None, reason: str) -> None:
        """Run these items, None for all, as soon as the run that is going has been cancelled."""
        self._wish = Selection(reason, tuple(nodeids or ()))
        self._interrupt("another run was asked for")
        self._wished.set()

    def cancel(self) -> None:
        """Interrupt the run; asked twice, kill it. Saves that wait for its end are dropped too."""
        self._wish = None
        self._wished.clear()
        self._interrupt("cancelled from the keyboard", again=True)

    def toggle_watching(self) -> None:
        """Switch rerunning on save off and on."""
        self.watching = not self.watching
        if self.watching and len(self._tasks) < 3:
            self._tasks.append(asyncio.create_task(self._watch()))
        self._journal.tell_run_changed()

    def command(self, nodeids: Sequence[str]) -> str:
        """The shell command that runs these items in plain pytest."""
        arguments = self._arguments(Selection("", tuple(nodeids)))
        return shell_command(self.target.python, arguments, self.target.pytest_args)

    # One run

    async def run_once(self, selection: Selection) -> int:
        """Run pytest on `selection` to its end; returns its exit code, 128 + n for signal n."""
        run_id = uuid.uuid4().hex
        self._server.expect(run_id)
        self._held_finish, self._cancelled = None, False
        self.notices.clear()
        self.output.clear()
        scope = "all" if selection.everything else "some"
        self._journal.emit(
            RunRequest(run_id, scope, selection.reason, len(selection.nodeids), files=selection.files)
        )
        arguments = [*self.target.pytest_args, *self._arguments(selection)]
        env = environment(self._server.address, self._server.token, run_id, self.target.memory_mode)
        try:
            command = pytest_command(self.target.python, arguments, self._server.directory)
            self._process = await PytestProcess.start(command, env, self.target.cwd, self.output.append)
        except OSError as error:
            self._journal.notice(
                f"{self.target.python} cannot be started: {error.strerror}. --python chooses another."
            )
            self._journal.emit(RunLost(127, output=str(error)))
            return 127
        if self._cancelled:  # asked for while the process was being made
            self._process.cancel()
        code = await self._process.wait()
        if not await self._server.drained(DRAIN_S):
            self._server.disconnect()
        await self._counts.stop()
        self._process = None
        self._close_run(code)
        return code if code >= 0 else 128 - code

    def _close_run(self, code: int) -> None:
        if self._held_finish is not None:
            self._journal.take(*self._held_finish)
            return
        run = self.board.session.run
        if run is not None and run.hello is None:
            self._journal.notice(
                _reason(self.output) or f"pytest ended with exit code {code} without a word."
            )
        name = signal_name(code)
        self._journal.emit(
            RunLost(code if code >= 0 else 128 - code, name, "\n".join(list(self.output)[-50:]))
        )

    def _arguments(self, selection: Selection) -> list[str]:
        hello = next((run.hello for run in reversed(self.board.session.runs) if run.hello), None)
        rootdir = hello.rootdir if hello else ""
        return selection.arguments(rootdir, self.target.cwd, self.target.paths)

    def _interrupt(self, why: str, again: bool = False) -> None:
        run = self.board.session.run
        if run is None or not run.active:
            return
        if self._cancelled and not again:
            return
        if not self._cancelled:
            self._cancelled = True
            self._journal.emit(RunCancel("cancelled", why))
        if self._process is not None:
            self._process.cancel()

    # Loops

    async def _loop(self) -> None:
        while True:
            await self._wished.wait()
            self._wished.clear()
            selection, self._wish = self._wish, None
            if selection is not None:
                await self.run_once(selection)

    async def _watch(self) -> None:
        root = self.settings.root
        try:
            async for changed in saves(root, self.settings.watch_ignore, self.settings.debounce_ms):
                if self.watching:
                    self._on_save(changed)
        except (OSError, RuntimeError) as error:
            self.watching = False
            self._journal.notice(
                f"Saves in {root} cannot be watched: {error}. Reruns are on the keys only (a, f, t, r); "
                "on Linux a higher fs.inotify.max_user_watches helps."
            )

    def _on_save(self, changed: Sequence[Path]) -> None:
        session = self.board.session
        hello = next((run.hello for run in reversed(session.runs) if run.hello), None)
        root = Path(hello.rootdir) if hello else self.settings.root
        selection = affected(session, changed, root)
        if self._wish is not None:
            selection = self._wish.united(selection)
        run = session.run
        if run is not None and run.active and touches_run(session, selection):
            selection = with_unfinished(session, selection)
            self._interrupt(selection.reason)
        self._wish = selection
        self._wished.set()

    # Lines

    def _on_stream_line(self, line: Line, raw: bytes) -> None:
        if isinstance(line.event, ServerSeen):
            self._counts.follow(line.event.url)
        if isinstance(line.event, RunFinish):
            # The controller may end before the last lines of its workers have been read.
            self._held_finish = (line, raw)
        else:
            self._journal.take(line, raw)


def _reason(output: Iterable[str]) -> str:
    """The line of pytest's output that most likely says why it did not start."""
    lines = [line.strip() for line in output if line.strip()]
    errors = [line for line in lines if "error:" in line.lower() and "usage:" not in line]
    return (errors or lines or [""])[-1]
