"""The process that owns the server: starts it, counts its users, stops it after the last one.

It runs exactly as long as the server. When either dies, the other follows, and the next user
restarts both. Standard library only, see `messages`.
"""

import contextlib
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from . import files, system
from .messages import Order, Running

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "autovacuum": "on",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # Tests provoke errors by the thousand; the log is for failures of the server itself.
    "log_min_messages": "log",
    "log_checkpoints": "off",
}
# A test's ALTER SYSTEM would apply to all projects. PostgreSQL 17 and later can reject it.
_SETTINGS_SINCE_17 = {"allow_alter_system": "off"}
_START_PATIENCE_S = 60.0
_READY_POLL_S = 0.002
_TICK_S = 0.2
# The starter requests its lease at once, but on a loaded machine that can take a moment.
_FIRST_USER_S = 3.0
_STOP_STEPS = (("INT", 20.0), ("QUIT", 5.0), ("KILL", 5.0))


def main() -> None:
    """Run the server described by the order on the command line."""
    order = Order.from_json(sys.argv[1])
    system.leave_parent()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if not order.has_lock and system.try_lock(Path(order.lock_file)) is None:
        _report("another supervisor has the lock")
        return
    system.adopt_orphans()
    port = system.free_port() if system.WINDOWS else 5432
    server = _start_server(order, port)
    try:
        failure = _wait_until_ready(server, Path(order.data_directory) / "postmaster.pid")
        if failure:
            _report(failure)
            return
        _serve(order, server, port)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _stop_server(order, server)


def _serve(order: Order, server: "subprocess.Popen[bytes]", port: int) -> None:
    sockets = Path(order.socket_directory)
    state_file = Path(order.state_file)
    listener, control = system.open_listener(sockets.parent)
    running = Running(
        supervisor_pid=os.getpid(),
        postmaster_pid=server.pid,
        control=control,
        token=secrets.token_hex(16),
        host="127.0.0.1" if system.WINDOWS else str(sockets),
        port=port,
        version=order.version,
        origin=order.origin,
        data_directory=order.data_directory,
        bin_directory=order.bin_directory,
        boot=order.boot,
    )
    running.write(state_file)
    _report("ready")
    try:
        ControlSocket(listener, running.token).keep_open(server, order.grace_s)
    finally:
        listener.close()
        # The cache may have been deleted meanwhile, and another server started.
        if Running.read(state_file) == running:
            state_file.unlink(missing_ok=True)
            system.forget_listener(control)


_Source = socket.socket | system.ProcessWatch


class ControlSocket:
    """Answers requests on the control socket, and keeps track of the server's users."""

    def __init__(self, listener: socket.socket, token: str) -> None:
        self._listener = listener
        self._token = token.encode()
        self._users: dict[_Source, int] = {}
        self._stop_requested = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def keep_open(self, server: "subprocess.Popen[bytes]", grace_s: float) -> None:
        """Answer until the server exits, a stop is requested, or there was no user for the grace time."""
        empty_until_s = time.monotonic() + max(grace_s, _FIRST_USER_S)
        while server.poll() is None and not self._stop_requested:
            left_s = _TICK_S if self._users else empty_until_s - time.monotonic()
            if left_s <= 0:
                return
            ready = self._selector.select(min(left_s, _TICK_S))
            had_users = bool(self._users)
            # Check for the server's exit before granting a new lease.
            if server.poll() is None:
                for key, _ in ready:
                    # May have been closed by an earlier iteration.
                    if key.fileobj in self._selector.get_map():
                        self._handle(key.fileobj)
            if had_users and not self._users:
                empty_until_s = time.monotonic() + grace_s

    def _handle(self, source: object) -> None:
        if source is self._listener:
            self._accept()
            return
        assert isinstance(source, socket.socket | system.ProcessWatch)
        # A watched process is ready only when it has ended.
        if isinstance(source, socket.socket):
            with contextlib.suppress(OSError):
                request = source.recv(4096)
                if request and self._answer(source, request.split()):
                    return
        self._forget(source)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # Out of descriptors: close the connections that never sent a request.
            for source in [key.fileobj for key in self._selector.get_map().values()]:
                silent = source is not self._listener and source not in self._users
                if silent and isinstance(source, socket.socket):
                    self._forget(source)
            return
        connection.settimeout(1.0)
        self._selector.register(connection, selectors.EVENT_READ)

    def _forget(self, source: _Source) -> None:
        self._users.pop(source, None)
        self._selector.unregister(source)
        source.close()

    def _answer(self, source: socket.socket, request: list[bytes]) -> bool:
        """Handle the request; return whether the connection stays open."""
        token, verb, number = (*request, b"", b"", b"")[:3]
        if not secrets.compare_digest(token, self._token):
            return False
        pid = int(number) if number.isdigit() and len(number) < 11 else 0
        if verb == b"lease":
            self._users[source] = pid
            source.sendall(b"ok\n")
        elif verb == b"follow":
            source.sendall(self._follow(pid))
        elif verb == b"status":
            source.sendall(json.dumps(sorted(self._users.values())).encode() + b"\n")
        elif verb == b"stop":
            source.sendall(b"ok\n")
            self._stop_requested = True
        return verb == b"lease"

    def _follow(self, pid: int) -> bytes:
        """Count a process as a user for its lifetime; return the reply."""
        followed = [user for source, user in self._users.items() if isinstance(source, system.ProcessWatch)]
        if pid not in followed:
            try:
                watch = system.ProcessWatch(pid)
            except (OSError, OverflowError) as error:
                return f"{error}\n".encode()
            self._selector.register(watch, selectors.EVENT_READ)
            self._users[watch] = pid
        return b"ok\n"


def _start_server(order: Order, port: int) -> "subprocess.Popen[bytes]":
    command = [str(Path(order.bin_directory) / "postgres"), "-D", order.data_directory, "-p", str(port)]
    if system.WINDOWS:
        command += ["-h", "127.0.0.1"]
    else:
        command += ["-h", "", "-k", order.socket_directory]
    major = int(order.version[:2])  # two digits since PostgreSQL 10
    for name, value in {**SETTINGS, **(_SETTINGS_SINCE_17 if major >= 17 else {})}.items():
        command += ["-c", f"{name}={value}"]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        env=system.clean_environment(),
        user=order.user_id,
        group=order.group_id,
        extra_groups=None if order.user_id is None else [],
        preexec_fn=system.tie_to_parent(),  # noqa: PLW1509 - one thread only
    )


def _wait_until_ready(server: "subprocess.Popen[bytes]", pid_file: Path) -> str | None:
    """Wait for the line in postmaster.pid that says the server accepts connections; return a failure."""
    deadline_s = time.monotonic() + _START_PATIENCE_S
    while server.poll() is None:
        with contextlib.suppress(OSError):
            lines = files.read(pid_file).splitlines()
            if len(lines) > 7 and lines[0] == b"%d" % server.pid and lines[7].strip() == b"ready":
                return None
        if time.monotonic() > deadline_s:
            return f"The server was not ready after {_START_PATIENCE_S:.0f} s.\n"
        time.sleep(_READY_POLL_S)
    return f"The server exited with code {server.returncode}.\n"


def _stop_server(order: Order, server: "subprocess.Popen[bytes]") -> None:
    for signal_name, patience_s in _STOP_STEPS:
        if server.poll() is None:
            system.signal_server(Path(order.bin_directory), server.pid, signal_name)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(patience_s)
    # A killed server leaves behind backends that are too busy to notice.
    for pid in system.children() if server.returncode else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for place in (Path(order.socket_directory), Path(order.socket_directory).parent):
        with contextlib.suppress(OSError):
            place.rmdir()


def _report(text: str) -> None:
    """Send the starter one message, then close the pipe that it waits on."""
    with contextlib.suppress(OSError):
        os.write(1, text.encode())
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.close(nowhere)
