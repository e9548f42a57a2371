"""The listening end of the stream: one socket per monitor, a token, strict parsing."""

import asyncio
import contextlib
import hmac
import secrets
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from tdd_monitor.protocol.codec import ProtocolError, decode, number_of
from tdd_monitor.protocol.events import PROTOCOL, Hello, Line
from tdd_monitor.protocol.receiving import Numbers, Splitter

from . import private_directory

# Limits for connections that have not sent hello. A plugin connects before the project's conftests are
# imported, which may be slow, and reconnects if it was dropped in the meantime.
MAX_UNKNOWN_BYTES = 4096
MAX_UNKNOWN = 256
HELLO_TIMEOUT_S = 30.0
_SOCKET = "s"
_TOKEN_FIELD = b'"token":"'
_TURNS_TO_ACCEPT = 10
_READ_EVERY_S = 0.01

LineHandler = Callable[[Line, bytes], None]


class ServerError(Exception):
    """No socket could be opened; the message says why and what to do."""


class Server:
    """Accepts the connections of one run at a time and passes on each line once, in order of arrival.

    `malformed` counts the run's lines that could not be decoded, `foreign` the connections without the
    right token; both are dropped.
    """

    def __init__(self, on_line: LineHandler) -> None:
        self.on_line = on_line
        self._server: asyncio.Server | None = None
        self._temporary: Path | None = None
        self._connections: set[_Connection] = set()
        self._numbers: dict[tuple[str, int], Numbers] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self.address = ""
        self.token = secrets.token_hex(16)
        self.run = ""
        self.malformed = 0
        self.foreign = 0

    async def start(self) -> None:
        """Listen on a Unix domain socket in a private directory, or on loopback TCP where there are none.

        Raises ServerError.
        """
        loop = asyncio.get_running_loop()
        try:
            self._temporary = await asyncio.to_thread(private_directory.create)
            if hasattr(socket, "AF_UNIX"):
                path = str(self._temporary / _SOCKET)
                self._server = await loop.create_unix_server(self._accept, path)
                self.address = f"unix:{path}"
            else:
                self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
                self.address = f"tcp:127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        except OSError as error:
            await self.stop()
            raise ServerError(
                f"Cannot open a socket for the test process: {error}.\n"
                f"Check that {tempfile.gettempdir()} is writable and its path short, or set TMPDIR."
            ) from error

    async def restart_if_gone(self) -> None:
        """Listen in a new directory if the socket was removed. Raises ServerError."""
        place = self.directory / _SOCKET if self.address.startswith("unix:") else self.directory
        if not await asyncio.to_thread(place.exists):
            await self.stop()
            await self.start()

    @property
    def directory(self) -> Path:
        """A private directory for as long as the server listens."""
        assert self._temporary is not None, "the server has not been started"
        return self._temporary

    def expect(self, run: str) -> None:
        """Accept only connections of this run from now on."""
        self.run = run
        self.malformed = 0
        self._numbers.clear()

    @property
    def missing(self) -> int:
        """The number of lines of the run that were sent but not received."""
        return sum(numbers.missing for numbers in self._numbers.values())

    async def drained(self, timeout_s: float) -> bool:
        """Wait until every connection is closed; False when some are still open after `timeout_s`."""
        # An exited process may still have a connection in the backlog: give the loop time to accept it.
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        return self._idle.is_set()

    def disconnect(self) -> None:
        """Close all connections, including those that children of a lost process keep open."""
        for connection in list(self._connections):
            connection.close()

    async def stop(self) -> None:
        """Stop listening and remove the socket."""
        self.disconnect()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._temporary is not None:
            await asyncio.to_thread(private_directory.remove, self._temporary)
            self._temporary = None

    def _accept(self) -> "_Connection":
        return _Connection(self)

    def opened(self, connection: "_Connection") -> bool:
        """Register a connection; False when too many others have not sent hello."""
        unknown = sum(not other.admitted for other in self._connections)
        self._connections.add(connection)
        self._idle.clear()
        return unknown < MAX_UNKNOWN

    def closed(self, connection: "_Connection") -> None:
        """Forget a closed connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._idle.set()

    def has_token(self, prefix: bytes) -> bool:
        """True when the prefix of a first line contains the token."""
        at = prefix.find(_TOKEN_FIELD) + len(_TOKEN_FIELD)
        token = self.token.encode()
        return at >= len(_TOKEN_FIELD) and hmac.compare_digest(prefix[at : at + len(token)], token)

    def admits(self, hello: Hello) -> bool:
        """True for a plugin of the current run that speaks a supported protocol."""
        known = hmac.compare_digest(hello.token.encode(), self.token.encode())
        return known and hello.run == self.run and hello.proto == PROTOCOL

    def numbers_of(self, worker: str, pid: int) -> Numbers:
        """The line numbers received from this process, over all its connections."""
        return self._numbers.setdefault((worker, pid), Numbers())


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._splitter = Splitter()
        self._numbers: Numbers | None = None
        self._timeout: asyncio.TimerHandle | None = None

    @property
    def admitted(self) -> bool:
        """True once it has sent hello."""
        return self._numbers is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._server.opened(self):
            self._timeout = asyncio.get_running_loop().call_later(HELLO_TIMEOUT_S, self._refuse)
        else:
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        self._server.closed(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self) -> None:
        self._server.foreign += 1
        self.close()

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        self._throttle()
        oversized = self._splitter.oversized
        for raw in self._splitter.feed(data):
            if not self._take(raw):
                return
        if self._numbers is not None:
            self._server.malformed += self._splitter.oversized - oversized
        elif self._splitter.oversized or not self._may_be_hello():
            self._refuse()

    def _may_be_hello(self) -> bool:
        pending = self._splitter.pending
        return len(pending) < MAX_UNKNOWN_BYTES or self._server.has_token(pending[:MAX_UNKNOWN_BYTES])

    def _throttle(self) -> None:
        """Pause reading briefly: waking up for every test cost the tests up to 50 us each."""
        assert self._transport is not None
        self._transport.pause_reading()
        asyncio.get_running_loop().call_later(_READ_EVERY_S, self._resume)

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _take(self, raw: bytes) -> bool:
        """Pass a line on; False ends the connection."""
        try:
            line = decode(raw)
        except ProtocolError:
            line, malformed = None, True
        else:
            malformed = False
        if self._numbers is None:
            return self._admit(line, raw)
        self._server.malformed += malformed
        if self._numbers.accept(line.seq if line is not None else number_of(raw)) and line is not None:
            self._server.on_line(line, raw)
        return True

    def _admit(self, line: Line | None, raw: bytes) -> bool:
        hello = line.event if line is not None else None
        if line is None or not isinstance(hello, Hello) or not self._server.admits(hello):
            self._refuse()
            return False
        if self._timeout is not None:
            self._timeout.cancel()
        self._numbers = self._server.numbers_of(line.worker, hello.pid)
        # A reconnecting process sends it again; its number counts only once.
        self._numbers.accept(line.seq)
        self._server.on_line(line, raw)
        return True
