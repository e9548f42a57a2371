"""The listening end of the stream: one socket a monitor, a token, strict lines."""

import asyncio
import contextlib
import hmac
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from tdd_monitor.protocol.codec import MAX_LINE_BYTES, ProtocolError, decode
from tdd_monitor.protocol.events import PROTOCOL, Hello, Line

_TURNS_TO_ACCEPT = 10
_READ_EVERY_S = 0.01

LineHandler = Callable[[Line, bytes], None]


class ServerError(Exception):
    """No socket could be opened; the message says why and what to do."""


class Server:
    """Accepts the connections of one run at a time and hands their lines on, in order of arrival.

    `malformed` and `foreign` count the lines that were not protocol 1 and the connections that
    did not know the token; both are dropped.
    """

    def __init__(self, on_line: LineHandler) -> None:
        self._on_line = on_line
        self._server: asyncio.Server | None = None
        self._temporary: Path | None = None
        self._connections: set[_Connection] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.address = ""
        self.token = secrets.token_hex(16)
        self.run = ""
        self.malformed = 0
        self.foreign = 0

    async def start(self) -> None:
        """Listen on a Unix-domain socket in a private directory, on loopback TCP where there are none.

        Raises ServerError.
        """
        loop = asyncio.get_running_loop()
        try:
            # mkdtemp makes it 0700; the system's temporary directory keeps the path short.
            self._temporary = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="tddm-"))
            if hasattr(socket, "AF_UNIX"):
                path = str(self._temporary / "s")
                self._server = await loop.create_unix_server(self._accept, path)
                self.address = f"unix:{path}"
            else:
                self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
                self.address = f"tcp:127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        except OSError as error:
            await self.stop()
            raise ServerError(
                f"No socket for the test process could be opened: {error}.\n"
                f"Is {tempfile.gettempdir()} writable and its path short? TMPDIR chooses another."
            ) from error

    @property
    def directory(self) -> Path:
        """A private directory for as long as the server listens."""
        assert self._temporary is not None, "the server has not been started"
        return self._temporary

    def expect(self, run: str) -> None:
        """From now on only connections of this run are heard."""
        self.run = run

    async def drained(self, timeout_s: float) -> bool:
        """Wait until every connection has ended; False when some are still open after the time."""
        # A process that came and went may still wait to be accepted: that takes the loop some turns.
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        return self._idle.is_set()

    def disconnect(self) -> None:
        """End all connections: what a lost process's children still hold open is not heard any more."""
        for connection in list(self._connections):
            connection.close()

    async def stop(self) -> None:
        """Stop listening and remove the socket."""
        self.disconnect()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._temporary is not None:
            await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)
            self._temporary = None

    def _accept(self) -> "_Connection":
        return _Connection(self)

    def _opened(self, connection: "_Connection") -> None:
        self._connections.add(connection)
        self._idle.clear()

    def _closed(self, connection: "_Connection") -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._idle.set()

    def admits(self, hello: Hello) -> bool:
        """True for a plugin of the run that is going, speaking a protocol that is understood."""
        known = hmac.compare_digest(hello.token.encode(), self.token.encode())
        return known and hello.run == self.run and hello.proto == PROTOCOL


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._admitted = False
        self._skipping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server._closed(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._breathe()
        self._buffer += data
        if b"\n" not in data:
            if len(self._buffer) > MAX_LINE_BYTES:
                # Endless line: count it once and skip to its end, wherever that is.
                self._server.malformed += not self._skipping
                self._skipping = True
                self._buffer.clear()
            return
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = rest
        for raw in lines:
            if self._skipping:
                self._skipping = False
            elif not self._take(bytes(raw)):
                return

    def _breathe(self) -> None:
        """Read again only after a moment: waking up for every test cost the tests up to 50 us each."""
        assert self._transport is not None
        self._transport.pause_reading()
        asyncio.get_running_loop().call_later(_READ_EVERY_S, self._resume)

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _take(self, raw: bytes) -> bool:
        try:
            line = decode(raw)
        except ProtocolError:
            self._server.malformed += 1
            line = None
        if not self._admitted:
            if line is None or not isinstance(line.event, Hello) or not self._server.admits(line.event):
                self._server.foreign += 1
                self.close()
                return False
            self._admitted = True
        if line is not None:
            self._server._on_line(line, raw)
        return True
