"""A stream over a transport that takes parts, is full or connects anew, interrupted anywhere."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support.lines import UNHURRIED

from tdd_monitor.plugin import stream as streams
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.protocol.codec import decode
from tdd_monitor.protocol.events import Event, Hello, StartedTest
from tdd_monitor.protocol.receiving import Numbers, Splitter

GREETING = Hello(1, "t", "r", 1, "single", rootdir="/tests")


class Interrupt(BaseException):
    """KeyboardInterrupt, but hypothesis does not take it for the user's."""


class Wire:
    """A transport that follows a plan, and the monitor at its other end."""

    def __init__(self) -> None:
        self.connection = 0
        self.plan: list[tuple[str, int]] = []
        self.in_a_signal_handler: Callable[[], None] | None = None
        self.received: list[Event] = []
        self.numbers = Numbers()
        self._connect()

    def _connect(self) -> None:
        self.connection += 1
        self._splitter = Splitter()
        self._greeted = False

    def send(self, data: bytes) -> int:
        what, size = self.plan.pop() if self.plan else ("take", len(data))
        if self.in_a_signal_handler is not None:
            self.in_a_signal_handler()
        if what == "connect":
            self._connect()
            return 0
        if what == "full":
            raise BlockingIOError
        if what == "interrupt before":
            raise Interrupt
        size = min(size, len(data))
        self._read(data[:size])
        if what == "interrupt after":
            raise Interrupt
        return size

    def _read(self, data: bytes) -> None:
        for raw in self._splitter.feed(data):
            line = decode(raw)
            assert line is not None
            if not self._greeted:
                assert line.event == GREETING
                self._greeted = True
                self.numbers.accept(line.seq)
            elif self.numbers.accept(line.seq):
                self.received.append(line.event)

    def wait(self, timeout_s: float) -> None:
        """Never long."""

    def close(self) -> None:
        """Nothing to close."""


def interrupted(call: Callable[[], object], after: int) -> bool:
    """Run `call`; raise Interrupt in it after so many instructions of the stream's own code."""
    left = after

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != streams.__file__:
            return None
        frame.f_trace_opcodes = True
        left -= event == "opcode"
        if left < 0:
            raise Interrupt
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except Interrupt:
        return True
    finally:
        sys.settrace(previous)
    return False


AFTER = st.integers(0, 60) | st.integers(0, 200) | st.integers(0, 800)
ACTS = st.tuples(
    st.sampled_from(["take", "take", "take", "full", "connect", "interrupt before", "interrupt after"]),
    st.integers(1, 150) | st.integers(1, 150) | st.integers(0, 400_000),
)


class Interrupted(RuleBasedStateMachine):
    """Each line arrives once and in order; one whose making was interrupted may be missing."""

    @initialize()
    def greet(self) -> None:
        self.wire = Wire()
        self.stream = Stream(self.wire)
        self.number = 0
        self.sent: list[Event] = []
        self.perhaps: list[Event] = []
        self.stream.greet(lambda: GREETING)

    def next(self, size: int) -> StartedTest:
        self.number += 1
        return StartedTest("x" * size, self.number)

    @rule(size=st.integers(1, 300) | st.just(90_000), count=st.integers(1, 5))
    def emit(self, size: int, count: int) -> None:
        for _ in range(count):
            self.sent.append(self.next(size))
            self.stream.emit(self.sent[-1])

    @rule(after=AFTER)
    def emit_interrupted(self, after: int) -> None:
        event = self.next(20)
        stopped = interrupted(lambda: self.stream.emit(event), after)
        (self.perhaps if stopped else self.sent).append(event)

    @rule(plan=st.lists(ACTS, min_size=1, max_size=4), after=AFTER | st.none(), signal=st.booleans())
    def flush(self, plan: list[tuple[str, int]], after: int | None, signal: bool) -> None:
        self.wire.plan = plan
        self.wire.in_a_signal_handler = self.emit_and_flush if signal else None
        interrupted(self.stream.flush, sys.maxsize if after is None else after)
        self.wire.in_a_signal_handler, self.wire.plan = None, []

    def emit_and_flush(self) -> None:
        self.wire.in_a_signal_handler = None
        event = self.next(20)
        self.perhaps.append(event)  # it may be what is interrupted
        self.stream.emit(event)
        self.stream.flush()

    def teardown(self) -> None:
        if not hasattr(self, "stream"):
            return
        self.stream.close()
        received = [event for event in self.wire.received if event not in self.perhaps]
        assert received == self.sent
        assert len(set(self.wire.received)) == len(self.wire.received)
        assert self.wire.numbers.missing == 0


TestInterrupted = Interrupted.TestCase
TestInterrupted.settings = settings(UNHURRIED, max_examples=60, stateful_step_count=25)
