"""The socket under the stream: survives tests that close every file descriptor.

Uses the base type `_socket.socket`: tests and plugins (pytest-socket) patch `socket.socket`, which also
warns when it is garbage-collected unclosed.
"""

import _socket
import os
import select
import sys
from typing import Any, Optional, Tuple

from tdd_monitor.plugin.descriptors import move_up

CONNECT_TIMEOUT_S = 5.0
_MAX_RECONNECTS = 100
_NO_SIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)  # tests may restore SIGPIPE's default, which kills
_SO_NOSIGPIPE = 0x1022  # the equivalent on macOS, missing from the socket module


class SocketTransport:
    """A non-blocking connection to the monitor, at `unix:PATH` or `tcp:HOST:PORT`.

    `connection` counts connections: a new one has received nothing that was sent on earlier ones.
    """

    def __init__(self, address: str) -> None:
        """Connect; raises OSError or ValueError."""
        self._address = address
        self.connection = 0
        self._used = False
        self._socket: Any = None
        self._identity: Optional[Tuple[int, int]] = None
        self._connect()

    def _connect(self) -> None:
        kind, _, place = self._address.partition(":")
        host, _, port = place.rpartition(":")
        family, target = (_socket.AF_UNIX, place) if kind == "unix" else (_socket.AF_INET, (host, int(port)))
        connection = _socket.socket(family, _socket.SOCK_STREAM)
        connection.settimeout(CONNECT_TIMEOUT_S)
        try:
            connection.connect(target)
            if kind == "tcp":
                connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            if sys.platform == "darwin":
                connection.setsockopt(_socket.SOL_SOCKET, _SO_NOSIGPIPE, 1)
        except BaseException:
            connection.close()
            raise
        fd = move_up(connection.detach())
        # First, so that after an exception below the new socket is not mistaken for the old one.
        self.connection += 1
        self._used = False
        self._socket = _socket.socket(connection.family, connection.type, connection.proto, fileno=fd)
        self._socket.setblocking(False)
        self._identity = _identity(fd)

    def send(self, data: bytes) -> int:
        """Send; returns the number of bytes accepted, 0 after a reconnect (the caller sends hello first).

        Raises BlockingIOError when the buffer is full, another OSError when the monitor is gone.
        """
        if not self._is_ours():
            self._reconnect()
            return 0
        try:
            sent: int = self._socket.send(data, _NO_SIGNAL)
        except (BrokenPipeError, ConnectionResetError):
            if self._used:
                raise
            # Slow imports may precede the first line, and the monitor's wait for it is limited.
            self._reconnect()
            return 0
        self._used = True
        return sent

    def _is_ours(self) -> bool:
        """False if a test closed our descriptor, even if its number has since been reused."""
        if self._identity is None:
            return True
        try:
            return _identity(self._socket.fileno()) == self._identity
        except OSError:
            return False

    def _reconnect(self) -> None:
        self.close()
        if self.connection > _MAX_RECONNECTS:
            raise OSError("the connection to the monitor was closed too often")
        self._connect()

    def wait(self, timeout_s: float) -> None:
        """Wait until the socket is writable, at most `timeout_s`."""
        if not self._is_ours():
            return
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(self._socket.fileno(), select.POLLOUT)
            poller.poll(int(timeout_s * 1000))
        else:
            select.select([], [self._socket.fileno()], [], timeout_s)

    def close(self) -> None:
        """Close the connection if the descriptor is still ours."""
        if self._is_ours():
            self._socket.close()
        else:
            self._socket.detach()


def _identity(fd: int) -> Optional[Tuple[int, int]]:
    if os.name != "posix":
        return None
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
