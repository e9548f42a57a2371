"""A private directory in the temporary directory, and the removal of stale ones.

The owner holds a lock on a file in it. The kernel releases the lock when the process exits, however it exits,
so a lock that can be acquired proves that the directory is stale.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

PREFIX = "tddm-"
_LOCK = "owner"
_locks: dict[Path, int] = {}


def create() -> Path:
    """Create a directory that only this user can enter, after a sweep. Blocks. Raises OSError."""
    with contextlib.suppress(OSError):
        sweep()
    # mkdtemp creates it with mode 0700; the system's temporary directory keeps the socket's path short.
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    draft = directory / (_LOCK + ".new")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    if _lock(descriptor):
        draft.rename(directory / _LOCK)  # never visible unlocked
        _locks[directory] = descriptor
    else:
        os.close(descriptor)
    return directory


def remove(directory: Path) -> None:
    """Remove a directory made by `create`. Blocks."""
    shutil.rmtree(directory, ignore_errors=True)
    descriptor = _locks.pop(directory, None)
    if descriptor is not None:
        os.close(descriptor)


def sweep() -> None:
    """Remove this user's directories whose owners have provably exited. Blocks."""
    if not hasattr(os, "getuid") or not shutil.rmtree.avoids_symlink_attacks:
        return
    for directory in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        with contextlib.suppress(OSError):
            status = directory.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077:
                _sweep(directory)


def _sweep(directory: Path) -> None:
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if _lock(descriptor):
            shutil.rmtree(directory)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
