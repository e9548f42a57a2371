"""Sends protocol lines to the monitor without disturbing pytest.

Lines wait in memory until the transport accepts them; sending never blocks below `MAX_WAITING_BYTES`.
Above it, outcomes are waited for while the monitor reads. If it reads nothing for `PATIENCE_S` in all,
the stream gives up and sends nothing more. Samples are dropped, and counted, long before that.

An exception (Ctrl+C, a test's alarm) may be raised between any two steps. So every bookkeeping step is
idempotent, and a send whose result is unknown is in doubt: its lines are sent again, and the reader drops
the numbers it already has.
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
SLOW_BYTES_PER_S = 1 << 20  # a monitor that reads faster than this is waited for without limit
_BATCH_BYTES = 256 << 10  # about a socket's buffer, so that a large backlog is not copied repeatedly
_POLL_S = 0.2
# Lines get their number when they are sent, because a signal handler may queue one while another is being
# encoded. Until then they have the longest possible number, so that a line within the limit stays within it.
_UNNUMBERED = 10**18
_NUMBER_PLACEHOLDER = b'"seq":%d' % _UNNUMBERED


# A line to send: its number, its bytes as queued, its bytes as sent. A plain tuple, for speed.
_Numbered = Tuple[int, bytes, bytes]


class Stream:
    """One connection to the monitor. Thread-safe; never raises OSError."""

    def __init__(self, transport: Any, worker: str = "") -> None:
        self._transport = transport
        self._worker = worker
        named = ',"worker":%s' % json.dumps(worker) if worker else ""
        self._envelope = '{"ev":"%%s","seq":%d,"t_ns":%%d%s%%s}\n' % (_UNNUMBERED, named.replace("%", "%%"))
        self._queue: Deque[bytes] = deque()
        self._batch: Deque[_Numbered] = deque()
        self._waiting_bytes = 0
        self._sent_number = 0  # of the last line sent completely
        self._sent_of_first = 0  # bytes sent of the batch's first line, on this connection
        self._opening = b""  # bytes that this connection must send before the next line
        self._connection = transport.connection
        self._in_doubt = False
        self._sending = False
        self._greeting: Optional[Callable[[], Event]] = None
        self._patience_s = PATIENCE_S
        # Reentrant: a signal handler or finalizer may run a query in the middle of a send.
        self._lock = threading.RLock()
        self.dropped = 0
        self.open = True

    def greet(self, greeting: Callable[[], Event]) -> None:
        """Send the first line. It is sent again whenever the transport reconnects."""
        self._greeting = greeting
        self.emit(greeting())
        self.flush()

    def emit(self, event: Event, worker: str = "", t_ns: int = 0, now: Any = time.monotonic_ns) -> None:
        """Queue one event for the next `flush`. One that cannot be encoded counts as dropped."""
        if not self.open:
            return
        try:
            line = encode(Line(_UNNUMBERED, t_ns or now(), worker or self._worker, event))
        except (TypeError, ValueError):
            self.dropped += 1
            return
        self._enqueue(line)

    def emit_body(self, ev: str, body: str, t_ns: int = 0, now: Any = time.monotonic_ns) -> None:
        """Queue an event that is already JSON: the text after the envelope, leading comma included."""
        if self.open:
            self._enqueue((self._envelope % (ev, t_ns or now(), body)).encode("ascii"))

    def _enqueue(self, line: bytes) -> None:
        with self._lock:
            self._queue.append(line)
            self._waiting_bytes += len(line)
            if self._waiting_bytes > MAX_WAITING_BYTES:
                self._wait_until(MAX_WAITING_BYTES // 2)

    def emit_sample(self, event: Event) -> None:
        """Queue an event that may be dropped when the monitor does not keep up."""
        if self._waiting_bytes > SAMPLES_UP_TO_BYTES:
            self.dropped += 1
        else:
            self.emit(event)

    def flush(self) -> None:
        """Send as much as the transport accepts without blocking."""
        if not self.open or not (self._queue or self._batch):
            return
        with self._lock:
            if self._sending:
                return  # the send in progress also sends what is queued now
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
                self._resume_on_new_connection()
            elif self._in_doubt:
                self._resend()
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
        """Number the lines to send next."""
        queue, batch = self._queue, self._batch
        number, size = self._sent_number, 0
        if batch:
            number, queued, _ = batch[-1]
            if queue and queued is queue[0]:
                queue.popleft()  # an exception interrupted the loop below before its popleft
            size = sum([len(data) for _, _, data in batch])
        while queue and size < _BATCH_BYTES:
            line = queue[0]
            number += 1
            data = line.replace(_NUMBER_PLACEHOLDER, b'"seq":%d' % number, 1)
            batch.append((number, line, data))
            queue.popleft()
            size += len(data)

    def _account_for(self, sent: int) -> None:
        """Remove what was sent from the batch, in an order that tolerates an exception at any point."""
        if sent < len(self._opening):
            # A partial opening is useless: it is cut short like a line.
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

    def _resume_on_new_connection(self) -> None:
        """Send hello, then the line that the old connection may have cut short."""
        self._opening = self._hello()
        self._sent_of_first = 0
        self._in_doubt = False
        self._connection = self._transport.connection

    def _resend(self) -> None:
        """Cancel the line that the last send may have begun, and send everything again."""
        self._opening = CANCELLED + self._opening.replace(CANCELLED, b"")
        self._sent_of_first = 0

    def _hello(self) -> bytes:
        if self._greeting is None:
            return b""
        return encode(Line(1, time.monotonic_ns(), self._worker, self._greeting()))

    def _wait_until(self, waiting_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Send until at most `waiting_bytes` wait; give up when the time limit is used up."""
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
            self._sending = False  # an exception may have left it set
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
        """Mute the stream of a forked child, where a thread that no longer exists may hold the lock."""
        self._lock = threading.RLock()
        self.mute()
