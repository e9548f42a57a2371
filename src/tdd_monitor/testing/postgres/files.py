"""Reads and replaces our small files in directories where others may have replaced them.

The server's account can write to the data directory, and we may be root: links there are not followed,
pipes not waited for, and existing files not written to. Standard library only, see `messages`.
"""

import contextlib
import os
import shutil
import stat
from pathlib import Path

_LIMIT_BYTES = 64 * 1024
# Non-blocking for pipes: without it, opening one hangs until it has a writer.
_READ_ONLY = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class NotOursError(OSError):
    """The path is not a regular file but a link, pipe, device or directory."""


def read(path: Path) -> bytes:
    """Return the first 64 KiB of a regular file. Raises OSError, `NotOursError` for anything else."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise NotOursError(f"{path} is not a regular file")
    descriptor = os.open(path, _READ_ONLY)
    try:
        # Check again, on the open descriptor: the path may have changed in between.
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotOursError(f"{path} is not a regular file")
        return os.read(descriptor, _LIMIT_BYTES)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes, owner: tuple[int, int] | None = None) -> None:
    """Replace whatever has that name with a new file, readable only by its owner (user, group).

    A link is replaced, its target left alone. Raises OSError.
    """
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, _NEW, 0o600), "wb") as file:
        if owner is not None:
            os.fchown(file.fileno(), *owner)
        file.write(content)
    draft.replace(path)


def remove(path: Path) -> None:
    """Remove a file, a link or a directory tree; a missing one is not an error."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
