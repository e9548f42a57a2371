"""Distinguishes saves that change a file's contents from mere touches."""

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

_HASHED_BYTES = 16 << 20  # larger files are compared by size and time
_CHUNK_BYTES = 1 << 20


class FileContents:
    """Remembers the contents of files. The methods block."""

    def __init__(self) -> None:
        self._digests: dict[Path, bytes] = {}
        self._known: set[Path] = set()

    def add_existing(self, paths: Iterable[Path]) -> None:
        """Register existing files, so that deleting one counts as a change."""
        self._known.update(paths)

    def changed(self, paths: Sequence[Path]) -> list[Path]:
        """The `paths` changed since the last call, except files created and deleted in between."""
        found = []
        for path in paths:
            digest = _digest(path)
            if self._digests.get(path) != digest:
                if digest or path in self._known or path in self._digests:
                    found.append(path)
                self._digests[path] = digest
            self._known.discard(path)
        return found


def _digest(path: Path) -> bytes:
    """b"" when there is nothing to read: missing, not readable, or not a regular file (FIFO, /dev/zero)."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            return b""
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except (OSError, ValueError):
        return b""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # replaced since the check above
            return b""
        if status.st_size > _HASHED_BYTES:
            return f"{status.st_size} {status.st_mtime_ns}".encode()
        digest = hashlib.blake2b(digest_size=16)
        for offset in range(0, _HASHED_BYTES, _CHUNK_BYTES):
            chunk = os.pread(descriptor, _CHUNK_BYTES, offset)
            digest.update(chunk)
            if len(chunk) < _CHUNK_BYTES:
                break
        return digest.digest()
    except OSError:
        return b""
    finally:
        os.close(descriptor)
