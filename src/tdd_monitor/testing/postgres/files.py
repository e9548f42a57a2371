"""Small files of ours in places where somebody else may have put something in their stead.

The server's account can write in the data directory, and we may be root: nothing there is followed,
waited for or written into. Standard library only, see `messages`.
"""

import contextlib
import os
import shutil
import stat
from pathlib import Path

_LIMIT_BYTES = 64 * 1024
# Not waiting matters for pipes only: without it, opening one hangs until somebody writes.
_READ_ONLY = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class NotOursError(OSError):
    """There is something else than a regular file: a link, a pipe, a device, a directory."""


def read(path: Path) -> bytes:
    """Return the first 64 KiB of a regular file. Raises OSError, `NotOursError` for anything else."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise NotOursError(f"{path} is not a regular file")
    descriptor = os.open(path, _READ_ONLY)
    try:
        # Once more, on what was really opened: it may have been changed in between.
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotOursError(f"{path} is not a regular file")
        return os.read(descriptor, _LIMIT_BYTES)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes, owner: tuple[int, int] | None = None) -> None:
    """Put a new file in the place of whatever has that name, readable by its owner (user, group) alone.

    A link goes, what it leads to stays as it is. Raises OSError.
    """
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, _NEW, 0o600), "wb") as file:
        if owner is not None:
            os.fchown(file.fileno(), *owner)
        file.write(content)
    draft.replace(path)


def remove(path: Path) -> None:
    """Remove a file, a link or a directory with all that is in it; a missing one is no error."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
