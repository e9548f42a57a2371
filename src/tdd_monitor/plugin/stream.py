"""Sends protocol lines to the monitor without ever hurting pytest.

Lines wait in memory until the transport takes them; nothing blocks until `MAX_WAITING_BYTES` wait.
Then outcomes are waited for, but all waiting together takes at most `PATIENCE_S` of a run: a
monitor that reads nothing for so long is given up, and the stream is silent from there on. Samples
are dropped, and counted, long before that.
"""

import json
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Optional

from tdd_monitor.protocol.codec import encode
from tdd_monitor.protocol.events import Event, Line

MAX_WAITING_BYTES = 32 << 20
SAMPLES_UP_TO_BYTES = 256 << 10
PATIENCE_S = 10.0
_POLL_S = 0.2


class Stream:
    """One connection to the monitor. Safe to use from several threads; never raises OSError."""

    def __init__(self, transport: Any, worker: str = "") -> None:
        self._transport = transport
        self._worker = worker
        named = ',"worker":%s' % json.dumps(worker) if worker else ""
        self._envelope = '{"ev":"%%s","seq":%%d,"t_ns":%%d%s%%s}\n' % named.replace("%", "%%")
        self._lines: Deque[bytes] = deque()
        self._waiting_bytes = 0
        self._sent_of_first = 0
        self._seq = 0
        self._greeting: Optional[Callable[[], Event]] = None
        self._patience_s = PATIENCE_S
        # Reentrant: a signal handler or a finalizer may run a query in the middle of a send.
        self._lock = threading.RLock()
        self.dropped = 0
        self.open = True

    def greet(self, greeting: Callable[[], Event]) -> None:
        """Send the first line; kept, because a transport that had to reconnect says it again."""
        with self._lock:
            self._greeting = greeting
            self.emit(greeting())
            self.flush()

    def emit(self, event: Event, worker: str = "", t_ns: int = 0, now: Any = time.monotonic_ns) -> None:
        """Queue one event; it goes out with the next `flush`. What cannot be encoded counts as dropped."""
        if not self.open:
            return
        with self._lock:
            try:
                line = encode(Line(self._seq + 1, t_ns or now(), worker or self._worker, event))
            except (TypeError, ValueError):
                # One event that cannot be said is no reason to say nothing any more.
                self.dropped += 1
                return
            self._seq += 1
            self._queue(line)

    def emit_body(self, ev: str, body: str, t_ns: int = 0, now: Any = time.monotonic_ns) -> None:
        """The same for an event that is JSON already: what follows the envelope, from its comma on."""
        if self.open:
            with self._lock:
                self._seq += 1
                self._queue((self._envelope % (ev, self._seq, t_ns or now(), body)).encode("ascii"))

    def _queue(self, line: bytes) -> None:
        self._lines.append(line)
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
        if not self.open or not self._lines:
            return
        with self._lock:
            try:
                self._send()
            except OSError:
                self.mute()

    def _send(self) -> None:
        while self._lines:
            data = self._joined()
            sent, restarted = self._transport.send(data)
            if restarted:
                self._start_over()
                continue
            if sent == len(data):
                self._lines.clear()
                self._waiting_bytes = self._sent_of_first = 0
                return
            if sent == 0:
                return
            self._forget(sent)

    def _joined(self) -> bytes:
        """The waiting bytes, up to about a socket's buffer: a large backlog is not copied again and again."""
        if self._waiting_bytes <= SAMPLES_UP_TO_BYTES:
            data = b"".join(self._lines)
        else:
            size, parts = 0, []
            for line in self._lines:
                parts.append(line)
                size += len(line)
                if size > SAMPLES_UP_TO_BYTES:
                    break
            data = b"".join(parts)
        return data[self._sent_of_first :] if self._sent_of_first else data

    def _forget(self, sent: int) -> None:
        sent += self._sent_of_first
        while self._lines and sent >= len(self._lines[0]):
            line = self._lines.popleft()
            self._waiting_bytes -= len(line)
            sent -= len(line)
        self._sent_of_first = sent

    def _start_over(self) -> None:
        """On a new connection: who speaks, then the line that the old one may have cut."""
        self._sent_of_first = 0
        if self._greeting is not None:
            hello = encode(Line(1, time.monotonic_ns(), self._worker, self._greeting()))
            self._lines.appendleft(hello)
            self._waiting_bytes += len(hello)

    def _wait_until(self, waiting_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Send until so few bytes wait; when patience is used up, give the monitor up."""
        self.flush()
        while self.open and self._waiting_bytes > waiting_bytes:
            if self._patience_s <= 0:
                self.mute()
                return
            started = clock()
            self._transport.wait(min(_POLL_S, self._patience_s))
            self._patience_s -= max(clock() - started, 0.001)
            self.flush()

    def drain(self) -> None:
        """Send all that waits, as long as patience lasts."""
        with self._lock:
            self._wait_until(0)

    def close(self) -> None:
        """Send all that waits and hang up."""
        with self._lock:
            self._wait_until(0)
            self.mute()

    def mute(self) -> None:
        """Be silent from now on."""
        self.open = False
        self._lines.clear()
        self._waiting_bytes = 0
        self._transport.close()

    def mute_child(self) -> None:
        """The same in a forked child, where the lock may be held by a thread that was not forked."""
        self._lock = threading.RLock()
        self.mute()
