"""Starts the one server of this user, or joins it; a lease keeps it running.

A lease is an open connection to the supervisor: the kernel closes it on any death of its holder,
so nobody has to clean up after a kill -9.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from . import system
from .address import ServerAddress
from .binaries import find_binaries, readable_binaries
from .cluster import explain_failure, prepare_cluster
from .errors import ProcessWatchError
from .messages import Order, Running
from .places import LOCK_POLL_S, Home, find_home, try_lock

DEFAULT_GRACE_S = 1.5
_START_PATIENCE_S = 120.0
_SUPERVISOR_PATIENCE_S = 60.0
_REPLY_TIMEOUT_S = 5.0


class ServerLease:
    """The right to use the server, until `close` or the end of this process."""

    def __init__(self, address: ServerAddress, connection: socket.socket) -> None:
        self.address = address
        self._connection = connection
        _open_leases.add(self)

    def close(self) -> None:
        """Give the server back; it stops a moment after the last user has. Can be called twice."""
        self._connection.close()

    def wait(self) -> None:
        """Block until the server has gone, or `close` in another thread."""
        with contextlib.suppress(OSError):
            self._connection.settimeout(None)
            self._connection.recv(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_open_leases: "weakref.WeakSet[ServerLease]" = weakref.WeakSet()


def _close_in_forked_child() -> None:
    # A daemon that a test forked off would keep the server running for ever.
    for lease in _open_leases:
        lease.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_forked_child)


def acquire_server(on_progress: Callable[[str], None] | None = None) -> ServerLease:
    """Start the server of this machine user, or join the one that runs.

    Blocks until the server accepts connections; `on_progress` hears what takes time. Raises
    `EmbeddedPostgresError`.
    """
    tell = on_progress or (lambda _: None)
    home = find_home()
    lease = _join(home)
    if lease is not None:
        return lease
    with home.locked(home.starter_lock, _START_PATIENCE_S, lambda: tell("Waiting for PostgreSQL to start")):
        return _start_or_join(home, tell)


def hold_for(pid: int) -> None:
    """Keep the server up until a process ends, whatever becomes of the lease that the caller has.

    Raises `ProcessWatchError` when the system, or an older supervisor, cannot do that.
    """
    running = Running.read(find_home().state_file)
    answer = ask(running, "follow", pid) if running else None
    if answer is None:
        raise ProcessWatchError("an older tdd-monitor started it; `tdd-monitor postgres stop` ends it")
    answer[0].close()
    if answer[1] != "ok":
        raise ProcessWatchError(answer[1])


def ask(running: Running, verb: str, pid: int | None = None) -> tuple[socket.socket, str] | None:
    """Ask the supervisor for something, for this process or another one.

    None when it does not answer: it is going or gone, or does not know the verb.
    """
    try:
        connection = system.dial(running.control, _REPLY_TIMEOUT_S)
    except (OSError, ValueError):
        # The name of the socket can be anything that a text can hold.
        return None
    try:
        request = f"{running.token} {verb} {os.getpid() if pid is None else pid}\n"
        connection.sendall(request.encode(errors="replace"))
        reply = b""
        while not reply.endswith(b"\n"):
            chunk = connection.recv(4096)
            if not chunk:
                break
            reply += chunk
    except OSError:
        reply = b""
    if not reply:
        connection.close()
        return None
    return connection, reply.decode(errors="replace").strip()


def _join(home: Home) -> ServerLease | None:
    running = Running.read(home.state_file)
    answer = ask(running, "lease") if running else None
    if running is None or answer is None:
        return None
    return ServerLease(ServerAddress(running.host, running.port), answer[0])


def _start_or_join(home: Home, tell: Callable[[str], None]) -> ServerLease:
    """Start until a lease is got; somebody else may have started it while we waited for the lock."""
    deadline_s = time.monotonic() + _SUPERVISOR_PATIENCE_S
    while (lease := _join(home)) is None:
        late = time.monotonic() > deadline_s
        descriptor = try_lock(home.supervisor_lock)
        if descriptor is None:
            # A supervisor is about to stop, or to be ready for a starter who was killed.
            if late:
                raise home.held_too_long(home.supervisor_lock, _SUPERVISOR_PATIENCE_S)
            time.sleep(LOCK_POLL_S)
            continue
        try:
            failure = _start(home, tell, descriptor)
        finally:
            os.close(descriptor)
        # Backends of a killed server live until they notice; their memory says "still in use".
        if failure and (late or "still in use" not in failure):
            raise explain_failure(home, failure)
    return lease


def _start(home: Home, tell: Callable[[str], None], lock: int) -> str | None:
    """Start a supervisor that inherits the lock; return what went wrong when its server is not ready."""
    try:
        binaries = readable_binaries(find_binaries(), home)
        data = prepare_cluster(home, binaries, tell)
        tell(f"Starting PostgreSQL {binaries.version}")
        inherited = system.bequeath(lock)
        order = Order(
            lock_file=str(home.supervisor_lock),
            has_lock=bool(inherited),
            state_file=str(home.state_file),
            socket_directory=str(home.make_socket_directory()),
            data_directory=str(data),
            bin_directory=str(binaries.directory),
            version=binaries.version,
            origin=binaries.origin,
            user_id=home.account.user_id if home.account else None,
            group_id=home.account.group_id if home.account else None,
            grace_s=float(os.environ.get("TDD_MONITOR_POSTGRES_GRACE_S") or DEFAULT_GRACE_S),
            boot=system.boot_identity(),
        )
        said = _run_supervisor(home, order, inherited)
        return None if said == "ready" else f"{said}\n" + home.log_file.read_text(errors="replace")
    except OSError as error:
        raise explain_failure(home, str(error)) from error


def _run_supervisor(home: Home, order: Order, inherited: tuple[int, ...]) -> str:
    # The package directory is run as a script, isolated and without site-packages: a third of the
    # time of `-m`, and what the user's environment injects into Python cannot disturb it.
    command = [sys.executable, "-I", "-S", str(Path(__file__).parent), order.to_json()]
    with home.log_file.open("wb") as log:
        starter = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=home.directory.anchor,
            pass_fds=inherited,
            start_new_session=True,
            creationflags=system.NEW_PROCESS_GROUP,
        )
    assert starter.stdout is not None
    with starter.stdout:
        said = starter.stdout.read().decode(errors="replace").strip()
    if not system.WINDOWS:
        starter.wait()
    return said
