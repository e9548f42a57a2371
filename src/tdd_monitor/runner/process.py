"""One pytest process: started in a group of its own, its output kept, ended in stages."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

INTERRUPT_GRACE_S = 5.0
TERMINATE_GRACE_S = 5.0
_MAX_OUTPUT_LINE = 4096
_POLL_S = 0.1


class PytestProcess:
    """A running pytest. `output` gets each line that it prints, without the newline.

    It prints into a file without a name rather than into a pipe: when the monitor dies, a pipe would break
    under the tests, and a pipe that nobody reads would stop them.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, printed: BinaryIO, output: Callable[[str], None]
    ) -> None:
        self._process = process
        self._printed = printed
        self._output = output
        self._rest = b""
        self._reader = asyncio.create_task(self._follow())
        self._ending: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, command: Sequence[str], env: dict[str, str], cwd: Path, output: Callable[[str], None]
    ) -> "PytestProcess":
        """Start `command`; raises OSError when it cannot be executed or nothing can be written."""
        number, name = tempfile.mkstemp(prefix="tddm-output-")
        printed = open(name, "rb")  # noqa: SIM115, PTH123, ASYNC230
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=env,
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=number,
                stderr=number,
                # A group of its own: Ctrl+C in the terminal is for the monitor, and a cancel reaches
                # whatever the tests have started.
                start_new_session=True,
            )
        except OSError:
            printed.close()
            raise
        finally:
            os.close(number)
            with contextlib.suppress(OSError):  # Windows keeps the name while it is open
                os.unlink(name)  # noqa: PTH108
        return cls(process, printed, output)

    @property
    def pid(self) -> int:
        """Process id, also its group's."""
        return self._process.pid

    async def _follow(self) -> None:
        while True:
            self._read()
            await asyncio.sleep(_POLL_S)

    def _read(self) -> None:
        while chunk := self._printed.read(1 << 16):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._output(_printable(line))
            if len(self._rest) > _MAX_OUTPUT_LINE:
                self._output(_printable(self._rest))
                self._rest = b""

    async def wait(self) -> int:
        """Exit code once it is over, negative for a signal, as in subprocess."""
        code = await self._process.wait()
        self._reader.cancel()
        self._read()
        if self._rest:
            self._output(_printable(self._rest))
        self._printed.close()
        if self._ending is not None:
            self._ending.cancel()
        return code

    def cancel(self) -> None:
        """Interrupt it, 5 s later terminate it, then kill it; called again, kill it at once."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        else:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the whole group."""
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


def _printable(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").rstrip("\r")[:_MAX_OUTPUT_LINE]


def signal_name(code: int) -> str:
    """Name of the signal in a negative exit code, "" for others."""
    if code >= 0:
        return ""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
