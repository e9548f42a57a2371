"""pytest's output: an unlinked file, read in slices, whose space is freed once read.

A file rather than a pipe: if the monitor died, writes to a pipe would fail, and a pipe that is not read
would block the tests.
"""

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache

from tdd_monitor import figures

SLICE_BYTES = 1 << 20
BACKLOG_BYTES = 8 << 20  # of a larger backlog, only the end is read
_MAX_LINE = 4096
_KEPT_BYTES = 16 << 20  # where holes cannot be punched


class PrintedOutput:
    """Both ends of the file. Methods block while they read a slice; not thread-safe."""

    def __init__(self) -> None:
        """Raises OSError when no file can be created in the temporary directory."""
        self.write_end, name = tempfile.mkstemp(prefix="tddm-output-")
        try:
            self._read_end = os.open(name, os.O_RDWR)
            _append(self.write_end)
        finally:
            with contextlib.suppress(OSError):  # Windows cannot unlink an open file
                os.unlink(name)  # noqa: PTH108
        self._at = self._released = 0
        self._rest = b""

    def close_write_end(self) -> None:
        """Close our copy of the write end; the child process has inherited it."""
        os.close(self.write_end)

    def close(self) -> None:
        """Close the file; its space is freed once the last writer has exited."""
        os.close(self._read_end)

    def unread(self) -> int:
        """The number of bytes not read yet."""
        return os.fstat(self._read_end).st_size - self._at

    def read(self) -> list[str]:
        """The next lines, without their newlines; [] when there are none now."""
        lines = self._skip()
        chunk = os.pread(self._read_end, SLICE_BYTES, self._at)
        self._at += len(chunk)
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        lines += [_printable(line) for line in whole]
        if len(self._rest) > _MAX_LINE:
            lines.append(_printable(self._rest))
            self._rest = b""
        self._release()
        return lines

    def rest(self) -> list[str]:
        """The last line, if it has no newline."""
        rest, self._rest = self._rest, b""
        return [_printable(rest)] if rest else []

    def _skip(self) -> list[str]:
        skipped = self.unread() - BACKLOG_BYTES
        if skipped <= 0:
            return []
        self._at += skipped
        lines = [*self.rest(), f"[{figures.size(skipped)} of output left out here]"]
        # Start at a whole line, if there is one.
        chunk = os.pread(self._read_end, _MAX_LINE, self._at)
        self._at += chunk.find(b"\n") + 1
        return lines

    def _release(self) -> None:
        if self._at - self._released < SLICE_BYTES:
            return
        if _punch()(self._read_end, self._at):
            self._released = self._at
        elif self._at >= _KEPT_BYTES:
            # May lose what is being written right now; better than filling the disk.
            os.ftruncate(self._read_end, 0)
            self._at = self._released = 0


def _append(descriptor: int) -> None:
    """Always write at the end, since the file may be truncated in between."""
    if sys.platform != "win32":
        import fcntl

        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_APPEND)


@cache
def _punch() -> Callable[[int, int], bool]:
    """A function that frees the first bytes of a file; it returns False where it cannot."""
    if not sys.platform.startswith("linux"):
        return lambda descriptor, length: False
    library = ctypes.CDLL(None)
    fallocate = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if fallocate is None:
        return lambda descriptor, length: False
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    keep_size, punch_hole = 1, 2
    return lambda descriptor, length: fallocate(descriptor, keep_size | punch_hole, 0, length) == 0


def _printable(raw: bytes) -> str:
    return raw[: 4 * _MAX_LINE].decode("utf-8", "replace").rstrip("\r")[:_MAX_LINE]
