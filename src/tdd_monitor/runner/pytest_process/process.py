"""One pytest process: started in its own process group, its output read, terminated in stages."""

import asyncio
import contextlib
import errno
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .output import PrintedOutput

INTERRUPT_GRACE_S = 5.0
TERMINATE_GRACE_S = 5.0
_POLL_S = 0.1


class StartError(Exception):
    """pytest could not be started; the message says why and what to do."""


class PytestProcess:
    """A running pytest. `output` gets each printed line, without the newline."""

    def __init__(
        self, process: asyncio.subprocess.Process, printed: PrintedOutput, output: Callable[[str], None]
    ) -> None:
        self._process = process
        self._printed = printed
        self._output = output
        self._exited = asyncio.Event()
        self._reader = asyncio.create_task(self._follow())
        self._ending: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, command: Sequence[str], env: dict[str, str], cwd: Path, output: Callable[[str], None]
    ) -> "PytestProcess":
        """Start `command` in `cwd`. Raises StartError."""
        try:
            printed = PrintedOutput()
        except OSError as error:
            raise StartError(_no_output(error)) from error
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=env,
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printed.write_end,
                stderr=printed.write_end,
                # Its own process group: Ctrl+C in the terminal reaches only the monitor, and a cancel
                # also reaches the children of the tests.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: an invalid argument, such as one with NUL
            printed.close()
            raise StartError(_not_started(error, command[0], cwd)) from error
        finally:
            printed.close_write_end()
        return cls(process, printed, output)

    @property
    def pid(self) -> int:
        """Process id, also the process group's."""
        return self._process.pid

    async def _follow(self) -> None:
        """Read the output in a thread, so that a flood of it does not block the screen."""
        while not self._exited.is_set():
            if self._printed.unread():
                await self._read()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exited.wait(), _POLL_S)
        # Read up to the current end only: orphaned children may print forever.
        remaining = self._printed.unread()
        while remaining > 0 and (unread := self._printed.unread()) > 0:
            await self._read()
            remaining -= max(1, unread - self._printed.unread())
        for line in self._printed.rest():
            self._output(line)

    async def _read(self) -> None:
        for line in await asyncio.to_thread(self._printed.read):
            self._output(line)

    async def wait(self) -> int:
        """Wait for the exit; returns the exit code, negative for a signal, as in subprocess."""
        code = await self._process.wait()
        self._exited.set()
        await self._reader
        self._printed.close()
        if self._ending is not None:
            self._ending.cancel()
        return code

    def cancel(self) -> None:
        """Interrupt pytest, terminate it 5 s later and kill it after another 5 s. Idempotent."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())

    def kill(self) -> None:
        """Send SIGKILL to the whole process group."""
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    async def _end(self) -> None:
        self._signal(signal.SIGINT)
        await asyncio.sleep(INTERRUPT_GRACE_S)
        self._signal(signal.SIGTERM)
        await asyncio.sleep(TERMINATE_GRACE_S)
        self.kill()

    def _signal(self, number: int) -> None:
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self._process.terminate()
            else:
                os.killpg(self._process.pid, number)


def _no_output(error: OSError) -> str:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return _too_many_files(error)
    return (
        f"pytest cannot be started: its output cannot be stored in {tempfile.gettempdir()}: "
        f"{error.strerror}. Free up space there, or set TMPDIR to another directory."
    )


def _not_started(error: OSError | ValueError, python: str, cwd: Path) -> str:
    if isinstance(error, ValueError):
        return f"pytest cannot be started: an argument cannot be passed to a process: {error}."
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return _too_many_files(error)
    if not cwd.is_dir():
        return f"pytest cannot be started: the directory {cwd} is gone. Restart tdd-monitor in the project."
    if error.errno in (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR):
        return f"{python} cannot be started: {error.strerror}. Choose another interpreter with --python."
    return f"pytest cannot be started: {error.strerror}."


def _too_many_files(error: OSError) -> str:
    return f"pytest cannot be started: {error.strerror}. Raise the limit with 'ulimit -n' and start again."


def signal_name(code: int) -> str:
    """Name of the signal in a negative exit code, "" for others."""
    if code >= 0:
        return ""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
