"""One run of pytest: its process, its lines in the journal, how it ended."""

import asyncio
import traceback
import uuid
from collections.abc import MutableSequence

from tdd_monitor.protocol.events import Line, LinesLost, RunCancel, RunLost, RunRequest
from tdd_monitor.session import queries

from .journal import Journal
from .pytest_process.crash_output import crash_output
from .pytest_process.endings import exit_notices
from .pytest_process.launch import Target, environment, pytest_command
from .pytest_process.process import PytestProcess, StartError, signal_name
from .selection import Selection
from .server_count import ServerCounts
from .stream.server import Server, ServerError

DRAIN_S = 2.0
NOT_STARTED = 127  # the shell's exit code for "command not found"
INTERNAL_ERROR = 3  # pytest's


class PytestRun:
    """Runs pytest once. Any failure ends the run as lost and is reported."""

    def __init__(
        self,
        target: Target,
        journal: Journal,
        server: Server,
        counts: ServerCounts,
        output: MutableSequence[str],
    ) -> None:
        self.process: PytestProcess | None = None
        self.cancelled_by_key = False
        self._target = target
        self._journal = journal
        self._server = server
        self._counts = counts
        self._output = output
        self._interrupted = self._killed = False
        self._finish: tuple[Line, bytes] | None = None

    # Ending early

    def interrupt(self, why: str) -> None:
        """Interrupt pytest, which then finishes its report; kill it if it does not exit in time."""
        if self._interrupted:
            return
        self._interrupted = True
        self._journal.emit(RunCancel("cancelled", why))
        if self.process is not None:
            self.process.cancel()

    def cancel(self) -> None:
        """Handle the cancel key: interrupt the run, or kill it if it was already interrupted."""
        if self._interrupted:
            self.kill()
        self.cancelled_by_key = True
        self.interrupt("cancelled from the keyboard")

    def kill(self) -> None:
        """Kill pytest without a grace period."""
        self.interrupt("killed from the keyboard")
        self._killed = True
        if self.process is not None:
            self.process.kill()

    # From the request to the end

    def hold_finish(self, line: Line, raw: bytes) -> None:
        """Hold back pytest's last event: the last lines of its workers may still be unread."""
        self._finish = line, raw

    async def to_end(self, selection: Selection) -> int:
        """Run pytest on `selection`; returns its exit code, 128 + n for signal n. Raises no Exception."""
        try:
            code = await self._run(selection)
            self._close(code)
            return _exit_code(code)
        except (StartError, ServerError) as error:
            return self._lose(NOT_STARTED, str(error))
        except Exception as error:  # noqa: BLE001 - reported to the user, and the run is closed
            reason = traceback.format_exception_only(error)[-1].strip()
            return self._lose(INTERNAL_ERROR, f"The run was lost because the monitor failed: {reason}.")
        except asyncio.CancelledError:
            self._lose(INTERNAL_ERROR, "The run did not end in time and was abandoned.")
            raise

    async def _run(self, selection: Selection) -> int:
        run_id = uuid.uuid4().hex
        self._server.expect(run_id)
        scope = "all" if selection.everything else "some"
        self._journal.emit(
            RunRequest(run_id, scope, selection.reason, len(selection.nodeids), files=selection.files)
        )
        await self._counts.stop()  # it may still be checking limits
        target, server = self._target, self._server
        rootdir = queries.rootdir(self._journal.board.session)
        arguments = [*target.pytest_args, *selection.arguments(rootdir, target.cwd, target.paths)]
        await server.restart_if_gone()
        env = environment(server.address, server.token, run_id, target)
        command = pytest_command(target.python, arguments, server.directory)
        self.process = await PytestProcess.start(command, env, target.cwd, self._output.append)
        if self._interrupted:  # while the process was being created
            self.process.cancel()
        if self._killed:
            self.process.kill()
        code = await self.process.wait()
        if not await server.drained(DRAIN_S):
            server.disconnect()
        await self._counts.stop()
        return code

    def _lose(self, code: int, reason: str) -> int:
        """End the run as lost; returns `code`."""
        if self.process is not None:
            self.process.kill()
        self._server.disconnect()
        self._journal.notice(reason)
        self._journal.emit(RunLost(code, output=reason))
        return code

    def _close(self, code: int) -> None:
        missing, malformed = self._server.missing, self._server.malformed
        if missing or malformed:
            self._journal.emit(LinesLost(missing, malformed))
        if self._finish is not None:
            self._journal.receive(*self._finish)
        else:
            last = "\n".join(crash_output(list(self._output)))
            self._journal.emit(RunLost(_exit_code(code), signal_name(code), last))
        session = self._journal.board.session
        assert session.run is not None
        workers = session.workers.values()
        for text in exit_notices(session.run, workers, _exit_code(code), self._output):
            self._journal.notice(text)


def _exit_code(code: int) -> int:
    """The exit code as a shell reports it: 128 + n for signal n."""
    return code if code >= 0 else 128 - code
