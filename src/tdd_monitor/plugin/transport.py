"""The socket under the stream: survives tests that close every file descriptor.

Not `socket.socket` but the type below it: tests replace and patch the former (pytest-socket), and
it warns when it is collected without having been closed.
"""

import _socket
import os
import select
import sys
from typing import Any, Optional, Tuple

from tdd_monitor.plugin.descriptors import move_up

CONNECT_TIMEOUT_S = 5.0
_MAX_RECONNECTS = 100
_NO_SIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)  # tests may have set SIGPIPE to its deadly default
_SO_NOSIGPIPE = 0x1022  # the same on macOS, where the socket module does not name it


class SocketTransport:
    """A non-blocking connection to the monitor's address, `unix:PATH` or `tcp:HOST:PORT`.

    `connection` counts them: each starts afresh, without what was sent on earlier ones.
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
        if kind == "unix":
            connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
            target: Any = place
        else:
            host, _, port = place.rpartition(":")
            connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            target = (host, int(port))
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
        # First: whatever is raised below, nothing is sent on it as if it were the old one.
        self.connection += 1
        self._used = False
        self._socket = _socket.socket(connection.family, connection.type, connection.proto, fileno=fd)
        self._socket.setblocking(False)
        self._identity = _identity(fd)

    def send(self, data: bytes) -> int:
        """Bytes taken; none when it had to reconnect, for what a connection begins with.

        Raises BlockingIOError when its buffer is full, another OSError when the monitor is gone.
        """
        if not self._is_ours():
            self._reconnect()
            return 0
        try:
            sent: int = self._socket.send(data, _NO_SIGNAL)
        except (BrokenPipeError, ConnectionResetError):
            if self._used:
                raise
            # The monitor does not wait forever for the first line, which may follow slow imports.
            self._reconnect()
            return 0
        self._used = True
        return sent

    def _is_ours(self) -> bool:
        """False when our descriptor was closed, even if its number has since been reused."""
        if self._identity is None:
            return True
        try:
            return _identity(self._socket.fileno()) == self._identity
        except OSError:
            return False

    def _reconnect(self) -> None:
        self.close()
        if self.connection > _MAX_RECONNECTS:
            raise OSError("the monitor's socket was closed too often")
        self._connect()

    def wait(self, timeout_s: float) -> None:
        """Return when it may take more, at the latest after the time."""
        if not self._is_ours():
            return
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(self._socket.fileno(), select.POLLOUT)
            poller.poll(int(timeout_s * 1000))
        else:
            select.select([], [self._socket.fileno()], [], timeout_s)

    def close(self) -> None:
        """Close the connection, if the descriptor is still ours."""
        if self._is_ours():
            self._socket.close()
        else:
            self._socket.detach()


def _identity(fd: int) -> Optional[Tuple[int, int]]:
    if os.name != "posix":
        return None
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
