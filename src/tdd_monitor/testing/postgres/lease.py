"""Starts or joins the one server of this user; a lease keeps it running.

A lease is an open connection to the supervisor: the kernel closes it however its holder dies,
so there is nothing to clean up after a kill -9.
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
        """Release the server; it stops shortly after the last release. Can be called twice."""
        self._connection.close()

    def wait(self) -> None:
        """Block until the server exits, or until `close` in another thread."""
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
    # A daemon forked by a test would keep the server running forever.
    for lease in _open_leases:
        lease.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_forked_child)


def acquire_server(on_progress: Callable[[str], None] | None = None) -> ServerLease:
    """Start the server of this machine user, or join the running one.

    Blocks until the server accepts connections; `on_progress` gets a line per slow step. Raises
    `EmbeddedPostgresError`.
    """
    report = on_progress or (lambda _: None)
    home = find_home()
    lease = _join(home)
    if lease is not None:
        return lease
    with home.locked(home.starter_lock, _START_PATIENCE_S, lambda: report("Waiting for PostgreSQL to start")):
        return _start_or_join(home, report)


def hold_for(pid: int) -> None:
    """Keep the server running until a process ends, whatever happens to the caller's lease.

    Raises `ProcessWatchError` if the system, or an older supervisor, does not support that.
    """
    running = Running.read(find_home().state_file)
    answer = ask(running, "follow", pid) if running else None
    if answer is None:
        raise ProcessWatchError("an older tdd-monitor started it; run `tdd-monitor postgres stop`")
    answer[0].close()
    if answer[1] != "ok":
        raise ProcessWatchError(answer[1])


def ask(running: Running, verb: str, pid: int | None = None) -> tuple[socket.socket, str] | None:
    """Send a request to the supervisor, on behalf of this process or another one.

    None when it does not answer: it is stopping or stopped, or does not know the verb.
    """
    try:
        connection = system.dial(running.control, _REPLY_TIMEOUT_S)
    except (OSError, ValueError):
        # The socket's name can be any text.
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


def _start_or_join(home: Home, on_progress: Callable[[str], None]) -> ServerLease:
    """Retry until there is a lease; another process may start the server while we wait for the lock."""
    deadline_s = time.monotonic() + _SUPERVISOR_PATIENCE_S
    while (lease := _join(home)) is None:
        late = time.monotonic() > deadline_s
        descriptor = try_lock(home.supervisor_lock)
        if descriptor is None:
            # A supervisor is stopping, or starting for a starter that was killed.
            if late:
                raise home.held_too_long(home.supervisor_lock, _SUPERVISOR_PATIENCE_S)
            time.sleep(LOCK_POLL_S)
            continue
        try:
            failure = _start(home, on_progress, descriptor)
        finally:
            os.close(descriptor)
        # Backends of a killed server take a moment to exit; until then its memory is "still in use".
        if failure and (late or "still in use" not in failure):
            raise explain_failure(home, failure)
    return lease


def _start(home: Home, on_progress: Callable[[str], None], lock: int) -> str | None:
    """Start a supervisor that inherits the lock; return the failure if its server is not ready."""
    try:
        binaries = readable_binaries(find_binaries(), home)
        data = prepare_cluster(home, binaries, on_progress)
        on_progress(f"Starting PostgreSQL {binaries.version}")
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
        outcome = _run_supervisor(home, order, inherited)
        return None if outcome == "ready" else f"{outcome}\n" + home.log_file.read_text(errors="replace")
    except OSError as error:
        raise explain_failure(home, str(error)) from error


def _run_supervisor(home: Home, order: Order, inherited: tuple[int, ...]) -> str:
    # The package directory is run as a script, isolated and without site-packages: a third of the
    # time of `-m`, and nothing that the user's environment injects into Python can interfere.
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
        outcome = starter.stdout.read().decode(errors="replace").strip()
    if not system.WINDOWS:
        starter.wait()
    return outcome
