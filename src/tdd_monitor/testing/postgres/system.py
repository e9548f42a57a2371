"""Operating system differences: locks, local sockets, signals, the death of a parent.

Linux and macOS support all of it; Windows gets loopback TCP and pg_ctl. Standard library only: the
supervisor uses this too.
"""

import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

WINDOWS = sys.platform == "win32"
LINUX = sys.platform.startswith("linux")
# Keeps Ctrl-C on a Windows console away from the supervisor; elsewhere its new session does.
NEW_PROCESS_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)

_PR_SET_PDEATHSIG = 1
_PIDFD_OPEN = 434
_PR_SET_CHILD_SUBREAPER = 36
_SIGINT = 2
_RETRY_CONNECT_S = 0.02

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def unlock(descriptor: int) -> None:
        """Release a lock taken by `try_lock`."""
        os.close(descriptor)

    def bequeath(descriptor: int) -> tuple[int, ...]:
        """Release the lock: a child cannot inherit it on Windows and has to take it itself."""
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        return ()

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def unlock(descriptor: int) -> None:
        """Release a lock taken by `try_lock`, even if a forked child still holds a copy."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

    def bequeath(descriptor: int) -> tuple[int, ...]:
        """Return the descriptors a child must inherit, so that the lock is free only after both close it."""
        return (descriptor,)


def try_lock(path: Path) -> int | None:
    """Lock the file for this process until `unlock` or exit; None if another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return None
        raise
    return descriptor


def user_id() -> int:
    """Return the id of the user who runs this process; 0 on Windows."""
    return 0 if sys.platform == "win32" else os.geteuid()


def is_root() -> bool:
    """Return whether PostgreSQL would refuse to run as the current user."""
    return not WINDOWS and user_id() == 0


def boot_identity() -> str:
    """Return a text that changes with every boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return str(int(psutil.boot_time()))


def open_listener(directory: Path) -> tuple[socket.socket, str]:
    """Listen for users of the server; return the listener and the address for `dial`."""
    if WINDOWS:
        listener = socket.create_server(("127.0.0.1", 0))
        return listener, str(listener.getsockname()[1])
    path = directory / "control"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    # Before listening, so that it is private whatever the starter's umask.
    path.chmod(0o600)
    listener.listen(128)
    return listener, str(path)


def forget_listener(control: str) -> None:
    """Remove the socket file of a closed listener."""
    if not control.isdigit():
        Path(control).unlink(missing_ok=True)


def dial(control: str, timeout_s: float) -> socket.socket:
    """Connect to a listener of `open_listener`."""
    if control.isdigit():
        return socket.create_connection(("127.0.0.1", int(control)), timeout_s)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    until_s = time.monotonic() + timeout_s
    try:
        while True:
            try:
                connection.connect(control)
                return connection
            except BlockingIOError:
                # The backlog is full; a Unix-domain socket with a timeout fails at once instead of waiting.
                if time.monotonic() > until_s:
                    raise
                time.sleep(_RETRY_CONNECT_S)
    except BaseException:
        connection.close()
        raise


class ProcessWatch:
    """Becomes readable, for a selector, when a process ends; safe against reuse of its process id.

    Raises OSError if there is no such process, or if the system cannot watch one: Windows, and
    Linux before 5.3.
    """

    def __init__(self, pid: int) -> None:
        self._descriptor = _open_process(pid)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._descriptor

    def close(self) -> None:
        """Stop watching."""
        os.close(self._descriptor)


def _open_process(pid: int) -> int:
    if sys.platform == "linux":
        if hasattr(os, "pidfd_open"):
            return os.pidfd_open(pid)
        # Interpreters built for old systems lack the function, not the system call.
        import ctypes

        descriptor: int = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_OPEN, pid, 0)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return descriptor
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    import select

    with contextlib.closing(select.kqueue()) as queue:
        ended = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        queue.control([ended], 0)
        return os.dup(queue.fileno())


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def leave_parent() -> None:
    """Detach from the parent process, which gets no child, no zombie and no warning."""
    if sys.platform != "win32" and os.fork():
        os._exit(0)


def tie_to_parent() -> Callable[[], None] | None:
    """Return a function for the child to call before exec: it gets SIGINT when its parent dies.

    Linux only. Elsewhere an orphaned server stays until the next start, which ends it.
    """
    if not LINUX:
        return None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, _SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return tie


def adopt_orphans() -> None:
    """Make this process the parent of grandchildren whose own parent dies (Linux)."""
    if LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """Return the process ids of this process's living children, including adopted ones (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat") if LINUX else ():
        with contextlib.suppress(OSError):
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.append(int(entry.parent.name))
    return found


def clean_environment() -> dict[str, str]:
    """Return an environment without the user's PG* variables and with English messages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C"}


def signal_server(bin_directory: Path, postmaster_pid: int, name: str) -> None:
    """Send INT (fast), QUIT (immediate) or KILL to a postmaster; do nothing if it is gone."""
    if WINDOWS:
        subprocess.run([bin_directory / "pg_ctl", "kill", name, str(postmaster_pid)], check=False)
        return
    import signal

    with contextlib.suppress(ProcessLookupError):
        os.kill(postmaster_pid, signal.Signals[f"SIG{name}"])
