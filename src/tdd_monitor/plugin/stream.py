"""Sends protocol lines to the monitor without ever disturbing pytest.

Lines wait in memory until the transport takes them; nothing blocks until `MAX_WAITING_BYTES` wait.
Then outcomes are waited for, as long as the monitor reads: one that takes nothing for `PATIENCE_S` in all
is given up, and the stream is silent from there on. Samples are dropped, and counted, long before that.

An exception may be raised between any two steps (Ctrl+C, a test's alarm). So every bookkeeping step can be
repeated, and a send whose result is unknown is in doubt: the lines go out again, and the
reader drops the numbers that it already has.
"""

import json
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Optional, Tuple

from tdd_monitor.protocol.codec import CANCELLED, encode
from tdd_monitor.protocol.events import Event, Line

MAX_WAITING_BYTES = 32 << 20
SAMPLES_UP_TO_BYTES = 256 << 10
PATIENCE_S = 10.0
SLOW_BYTES_PER_S = 1 << 20  # a monitor that reads faster than this is always waited for
_BATCH_BYTES = 256 << 10  # about a socket's buffer: a large backlog is not copied again and again
_POLL_S = 0.2
# Lines get their number when they are sent: a signal handler may queue one while another is being made.
# Until then they have the longest one, so that a line that fits still fits.
_UNNUMBERED = 10**18
_PLACE_OF_NUMBER = b'"seq":%d' % _UNNUMBERED


# A line on its way: its number, as it was queued, as it is sent. A plain tuple: one is made for every line.
_Numbered = Tuple[int, bytes, bytes]


class Stream:
    """One connection to the monitor. Safe to use from several threads; never raises OSError."""

    def __init__(self, transport: Any, worker: str = "") -> None:
        self._transport = transport
        self._worker = worker
        named = ',"worker":%s' % json.dumps(worker) if worker else ""
        self._envelope = '{"ev":"%%s","seq":%d,"t_ns":%%d%s%%s}\n' % (_UNNUMBERED, named.replace("%", "%%"))
        self._queue: Deque[bytes] = deque()
        self._batch: Deque[_Numbered] = deque()
        self._waiting_bytes = 0
        self._sent_number = 0  # of the last line that was sent whole
        self._sent_of_first = 0  # bytes of the batch's first line, on this connection
        self._opening = b""  # what this connection has to send before the next line
        self._connection = transport.connection
        self._in_doubt = False
        self._sending = False
        self._greeting: Optional[Callable[[], Event]] = None
        self._patience_s = PATIENCE_S
        # Reentrant: a signal handler or a finalizer may run a query in the middle of a send.
        self._lock = threading.RLock()
        self.dropped = 0
        self.open = True

    def greet(self, greeting: Callable[[], Event]) -> None:
        """Send the first line; kept, because a transport that had to reconnect sends it again."""
        self._greeting = greeting
        self.emit(greeting())
        self.flush()

    def emit(self, event: Event, worker: str = "", t_ns: int = 0, now: Any = time.monotonic_ns) -> None:
        """Queue one event; it goes out with the next `flush`. What cannot be encoded counts as dropped."""
        if not self.open:
            return
        try:
            line = encode(Line(_UNNUMBERED, t_ns or now(), worker or self._worker, event))
        except (TypeError, ValueError):
            # One event that cannot be encoded must not stop the others.
            self.dropped += 1
            return
        self._enqueue(line)

    def emit_body(self, ev: str, body: str, t_ns: int = 0, now: Any = time.monotonic_ns) -> None:
        """The same for an event that is JSON already: what follows the envelope, from its comma on."""
        if self.open:
            self._enqueue((self._envelope % (ev, t_ns or now(), body)).encode("ascii"))

    def _enqueue(self, line: bytes) -> None:
        with self._lock:
            self._queue.append(line)
            self._waiting_bytes += len(line)
            if self._waiting_bytes > MAX_WAITING_BYTES:
                self._wait_until(MAX_WAITING_BYTES // 2)

    def emit_sample(self, event: Event) -> None:
        """Queue an event that may be lost: it is when the monitor does not keep up."""
        if self._waiting_bytes > SAMPLES_UP_TO_BYTES:
            self.dropped += 1
        else:
            self.emit(event)

    def flush(self) -> None:
        """Hand over as much as the transport takes at once."""
        if not self.open or not (self._queue or self._batch):
            return
        with self._lock:
            if self._sending:
                return  # a send in progress, which also sends what is queued now
            try:
                self._sending = True
                self._send()
            except OSError:
                self.mute()
            finally:
                self._sending = False

    def _send(self) -> None:
        while True:
            self._fill_batch()
            if not self._batch:
                self._waiting_bytes = 0
                return
            if self._transport.connection != self._connection:
                self._start_over()
            elif self._in_doubt:
                self._start_again()
            data = b"".join([data for _, _, data in self._batch])
            if self._opening or self._sent_of_first:
                data = self._opening + data[self._sent_of_first :]
            self._in_doubt = True
            try:
                sent = self._transport.send(data)
            except BlockingIOError:
                sent = 0
            if self._transport.connection == self._connection:
                self._account_for(sent)
                if sent < len(data):
                    return

    def _fill_batch(self) -> None:
        """Give numbers to the lines that go out next."""
        queue, batch = self._queue, self._batch
        number, size = self._sent_number, 0
        if batch:
            number, queued, _ = batch[-1]
            if queue and queued is queue[0]:
                queue.popleft()  # it was not, because something was raised in the loop below
            size = sum([len(data) for _, _, data in batch])
        while queue and size < _BATCH_BYTES:
            line = queue[0]
            number += 1
            data = line.replace(_PLACE_OF_NUMBER, b'"seq":%d' % number, 1)
            batch.append((number, line, data))
            queue.popleft()
            size += len(data)

    def _account_for(self, sent: int) -> None:
        """Take what was sent off the batch, in an order that lets anything be raised in between."""
        if sent < len(self._opening):
            # A part of the opening is worth nothing: it would be cut short like a line.
            self._in_doubt = bool(sent) or self._opening.startswith(CANCELLED)
            return
        sent += self._sent_of_first - len(self._opening)
        batch = self._batch
        while batch and sent >= len(batch[0][2]):
            self._sent_number, queued, data = batch[0]
            sent -= len(data)
            self._waiting_bytes -= len(queued)
            batch.popleft()
        self._sent_of_first = sent
        self._opening = b""
        self._in_doubt = False

    def _start_over(self) -> None:
        """On a new connection: the first line, then the line that the old one may have cut."""
        self._opening = self._hello()
        self._sent_of_first = 0
        self._in_doubt = False
        self._connection = self._transport.connection

    def _start_again(self) -> None:
        """Whatever the last send came to: end the line that it may have begun, and repeat all of it."""
        self._opening = CANCELLED + self._opening.replace(CANCELLED, b"")
        self._sent_of_first = 0

    def _hello(self) -> bytes:
        if self._greeting is None:
            return b""
        return encode(Line(1, time.monotonic_ns(), self._worker, self._greeting()))

    def _wait_until(self, waiting_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Send until so few bytes wait, 0 for none; without patience left, give the monitor up."""
        if self._sending:
            return
        self.flush()
        while self.open and (self._waiting_bytes > waiting_bytes or not waiting_bytes):
            if not (self._queue or self._batch):
                return
            if self._patience_s <= 0:
                self.mute()
                return
            started, before = clock(), self._waiting_bytes
            self._transport.wait(min(_POLL_S, self._patience_s))
            self._patience_s -= max(clock() - started, 0.001)
            self.flush()
            gained_s = max(0, before - self._waiting_bytes) / SLOW_BYTES_PER_S
            self._patience_s = min(PATIENCE_S, self._patience_s + gained_s)

    def drain(self) -> None:
        """Send everything queued, within the time limit."""
        with self._lock:
            self._sending = False  # whatever was raised in the middle of a send
            self._wait_until(0)

    def close(self) -> None:
        """Send everything queued and close the connection."""
        self.drain()
        with self._lock:
            self.mute()

    def mute(self) -> None:
        """Send nothing from now on."""
        self.open = False
        self._queue.clear()
        self._batch.clear()
        self._waiting_bytes = 0
        self._transport.close()

    def mute_child(self) -> None:
        """The same in a forked child, where the lock may be held by a thread that was not forked."""
        self._lock = threading.RLock()
        self.mute()
