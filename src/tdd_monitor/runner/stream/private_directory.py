"""A directory of the monitor's own in the temporary one, and the removal of those whose owners are dead.

The owner holds a lock on a file in it. The kernel gives that up when the process ends, however it ends, so a
lock that can be taken proves that nobody needs the directory any more.
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
    """A new directory that only this user can enter. Sweeps first; blocks. Raises OSError."""
    with contextlib.suppress(OSError):
        sweep()
    # mkdtemp makes it 0700; the system's temporary directory keeps the path of a socket short.
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    draft = directory / (_LOCK + ".new")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    if _lock(descriptor):
        draft.rename(directory / _LOCK)  # never there without its lock
        _locks[directory] = descriptor
    else:
        os.close(descriptor)
    return directory


def remove(directory: Path) -> None:
    """Remove what `create` made. Blocks."""
    shutil.rmtree(directory, ignore_errors=True)
    descriptor = _locks.pop(directory, None)
    if descriptor is not None:
        os.close(descriptor)


def sweep() -> None:
    """Remove this user's directories whose owners are proved dead; every other stays. Blocks."""
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
