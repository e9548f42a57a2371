"""The stream in a file: the same lines, in the order of arrival."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from tdd_monitor.protocol.codec import MAX_LINE_BYTES, ProtocolError, decode, encode
from tdd_monitor.protocol.events import Hello, Line, ServerSeen

_LONGEST_LINE = MAX_LINE_BYTES + 2  # with its newline, and one more to detect that it is too long


class RecordingError(Exception):
    """A recording cannot be written or read; the message says which file and why."""


class Recorder:
    """Appends lines to `path`, which is emptied first. Raises RecordingError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error = ""
        try:
            # A flush per line would cost a system call per event; the engine flushes periodically.
            self._file = path.open("wb", buffering=1 << 16)
        except OSError as error:
            raise RecordingError(f"Cannot record to {path}: {error.strerror}.") from error

    def write(self, line: Line, raw: bytes) -> None:
        """Append one line. A full disk ends the recording, not the run, and sets `error`."""
        if self.error:
            return
        if isinstance(line.event, (Hello, ServerSeen)):
            raw = encode(line._replace(event=_without_secrets(line.event))).rstrip(b"\n")
        try:
            self._file.write(raw + b"\n")
        except OSError as error:
            self._stop(error)

    def flush(self) -> None:
        """Write buffered lines to disk."""
        try:
            self._file.flush()
        except OSError as error:
            self._stop(error)

    def _stop(self, error: OSError) -> None:
        why = f"Recording to {self.path} stopped: {error.strerror}. What was recorded can be replayed."
        self.error = self.error or why

    def close(self) -> None:
        """Flush and close. Can be called twice."""
        try:
            self._file.close()
        except OSError as error:
            self._stop(error)


def _without_secrets(event: Hello | ServerSeen) -> Hello | ServerSeen:
    if isinstance(event, Hello):
        return event._replace(token="-")
    try:
        url = urlsplit(event.url)
    except ValueError:
        return event._replace(url="-")
    if not url.netloc:
        return event._replace(url="-")
    login, at, place = url.netloc.rpartition("@")
    # Without its query, which may contain a password too.
    return event._replace(url=f"{url.scheme}://{login.partition(':')[0]}{at}{place}{url.path}")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines of bounded length: only the beginning of a longer one, which is not an event."""
    while raw := file.readline(_LONGEST_LINE):
        yield raw
        while len(raw) == _LONGEST_LINE and not raw.endswith(b"\n"):
            raw = file.readline(_LONGEST_LINE)


def read(path: Path) -> Iterator[Line]:
    """Return the lines of a recording; unknown events and a truncated last line are skipped.

    Raises RecordingError when the file cannot be read or is not a recording.
    """
    try:
        with path.open("rb") as file:
            known = malformed = 0
            for raw in _lines(file):
                try:
                    line = decode(raw)
                except ProtocolError:
                    malformed += 1
                    continue
                if line is not None:
                    known += 1
                    yield line
    except OSError as error:
        raise RecordingError(f"Cannot read {path}: {error.strerror}.") from error
    if not known:
        raise RecordingError(
            f"{path} is not a recording ({malformed} unreadable lines). "
            "Make one with 'tdd-monitor watch --record FILE' or 'run --record FILE'."
        )
