"""A monitor that is slow, stalls, dies or comes back: pytest is never hurt, outcomes are never lost to it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from plugin.conftest import Suite
from plugin.harness import BOOTSTRAP, environment, listening, wait_until
from tdd_monitor.plugin import stream as streams
from tdd_monitor.plugin.observe.names import pool_name
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.plugin.transport import SocketTransport
from tdd_monitor.protocol.codec import decode
from tdd_monitor.protocol.events import CollectSkip, Hello, RunFinish, Sample, StartedTest

MANY = "import pytest\n@pytest.mark.parametrize('i', range({}))\ndef test_many(i): print('x' * 4000)"
FEW, MORE_THAN_A_SOCKET_HOLDS = MANY.format(50), MANY.format(300)


class Pipe:
    """A transport that takes as much as it is told to."""

    def __init__(self, room: int = 1 << 60) -> None:
        self.room = room
        self.taken = b""
        self.broken = False
        self.connection = 1
        self.lost = False
        self.waited = 0.0

    def send(self, data: bytes) -> int:
        if self.broken:
            raise BrokenPipeError
        if self.lost:
            self.lost = False
            self.connection += 1
            return 0
        if not self.room:
            raise BlockingIOError
        size = min(self.room, len(data))
        self.room -= size
        self.taken += data[:size]
        return size

    def wait(self, timeout_s: float) -> None:
        self.waited += timeout_s

    def close(self) -> None:
        self.broken = True

    @property
    def events(self) -> list[Any]:
        return [line.event for raw in self.taken.splitlines() if (line := decode(raw)) is not None]


def greeting() -> Hello:
    return Hello(1, "t", "r", 1, "single")


def test_lines_that_are_cut_anywhere_arrive_complete() -> None:
    pipe = Pipe(0)
    stream = Stream(pipe)
    stream.greet(greeting)
    sent: list[Any] = [greeting()]
    for n in range(200):
        sent.append(StartedTest(f"test_{n}", n))
        stream.emit(sent[-1])
        pipe.room = n % 37
        stream.flush()
    pipe.room = 1 << 60
    stream.flush()
    assert pipe.events == sent
    assert not stream._queue and not stream._batch


def test_a_new_connection_begins_with_a_hello_and_repeats_the_cut_line() -> None:
    pipe = Pipe(40)
    stream = Stream(pipe)
    stream.greet(greeting)
    stream.emit(StartedTest("test_one", 1))
    cut = pipe.taken
    pipe.taken, pipe.room, pipe.lost = b"", 1 << 60, True
    stream.flush()
    assert len(cut) == 40
    assert pipe.events == [greeting(), greeting(), StartedTest("test_one", 1)]


@pytest.mark.parametrize("size", [60, 450_000])
def test_only_the_sent_part_of_a_backlog_is_dropped(size: int) -> None:
    """A batch of a long backlog may be taken whole: the rest of the backlog is still to be sent."""
    pipe = Pipe(0)
    stream = Stream(pipe)
    stream.greet(greeting)
    sent: list[Any] = [greeting(), CollectSkip("a", "x" * size)]
    stream.emit(sent[-1])
    for n in range(10_000):
        sent.append(StartedTest(f"test_{n}", n))
        stream.emit(sent[-1])
    pipe.room = 1 << 60
    stream.flush()
    assert pipe.events == sent
    assert [line.seq for raw in pipe.taken.splitlines() if (line := decode(raw))] == [*range(1, 10_003)]


def test_samples_are_dropped_and_counted_before_outcomes_wait() -> None:
    pipe = Pipe(0)
    stream = Stream(pipe)
    stream.emit(CollectSkip("a", "x" * 60_000))
    while stream._waiting_bytes <= streams.SAMPLES_UP_TO_BYTES:
        stream.emit(CollectSkip("a", "x" * 60_000))
    stream.emit_sample(Sample(1))
    stream.emit_sample(Sample(2))
    assert stream.dropped == 2
    pipe.room = 1 << 60
    stream.flush()
    stream.emit_sample(Sample(3))
    stream.flush()
    assert pipe.events[-1] == Sample(3)


def test_a_monitor_that_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_WAITING_BYTES", 100_000)
    pipe = Pipe(0)
    stream = Stream(pipe)
    stream._patience_s = 0.05
    for n in range(2000):
        stream.emit(StartedTest("x" * 100, n))
    assert not stream.open
    assert not stream._queue and not stream._batch
    stream.emit(RunFinish(0))
    stream.flush()
    stream.close()
    assert pipe.taken == b""


def test_a_broken_pipe_closes_the_stream_silently() -> None:
    pipe = Pipe()
    stream = Stream(pipe)
    stream.greet(greeting)
    pipe.broken = True
    stream.emit(RunFinish(0))
    stream.flush()
    assert not stream.open


def test_a_signal_handler_may_send_in_the_middle_of_a_send() -> None:
    pipe = Pipe()
    stream = Stream(pipe)
    previous = signal.signal(signal.SIGALRM, lambda *_: stream.emit(Sample(7)))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for n in range(5000):
            stream.emit(StartedTest("test", n))
            stream.flush()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    stream.flush()
    assert sum(isinstance(event, StartedTest) for event in pipe.events) == 5000


def test_threads_do_not_mix_their_lines() -> None:
    pipe = Pipe()
    stream = Stream(pipe)

    def send(name: str) -> None:
        for n in range(500):
            stream.emit(StartedTest(name * 50, n))
            stream.flush()

    threads = [threading.Thread(target=send, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream.flush()
    assert len(pipe.events) == 2000


def test_the_socket_is_not_inherited() -> None:
    with listening() as listener:
        transport = SocketTransport(listener.address)
        fd = transport._socket.fileno()
        assert not os.get_inheritable(fd)
        assert fd > 100
        transport.close()
        listener.wait_idle()


def start(directory: Path, address: str, **env: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(BOOTSTRAP), "-q", "-p", "no:cacheprovider"]
    told = {"TDD_MONITOR_ADDRESS": address, "TDD_MONITOR_TOKEN": "a-token", "TDD_MONITOR_RUN": "a-run"}
    return subprocess.Popen(
        command,
        cwd=directory,
        env=environment() | told | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_over_tcp(suite: Suite) -> None:
    with listening(tcp=True) as listener:
        process = start(suite(test_many=FEW), listener.address)
        output, _ = process.communicate(timeout=60)
        listener.wait_idle()
    assert "50 passed" in output
    assert listener.lines[-1].event == RunFinish(0, {"passed": 50})


@pytest.mark.parametrize("after", [1, 20, 80])
def test_a_monitor_that_dies_does_no_harm(after: int, suite: Suite) -> None:
    with listening() as listener:
        listener.hang_up_after = after
        process = start(suite(test_many=FEW), listener.address)
        output, _ = process.communicate(timeout=60)
        listener.wait_idle()
    assert process.returncode == 0
    assert "50 passed" in output


SAYS_WHEN_OVER = """
    import pathlib

    import pytest

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(): pathlib.Path("over").touch()
"""


def test_a_monitor_that_stalls_for_a_while_receives_everything(suite: Suite, tmp_path: Path) -> None:
    with listening() as listener:
        listener.reading.clear()
        process = start(suite(conftest=SAYS_WHEN_OVER, test_many=MORE_THAN_A_SOCKET_HOLDS), listener.address)
        wait_until((tmp_path / "over").exists)
        listener.reading.set()
        output, _ = process.communicate(timeout=60)
        listener.wait_idle()
    assert "300 passed" in output
    assert not listener.malformed
    finish = listener.lines[-1].event
    assert isinstance(finish, RunFinish)
    assert finish.counts == {"passed": 300}
    assert sum(isinstance(line.event, StartedTest) for line in listener.lines) == 300


IMPATIENT = """
    from tdd_monitor.plugin import stream

    def pytest_sessionstart(session):
        stream.MAX_WAITING_BYTES, stream.SLOW_BYTES_PER_S, stream.PATIENCE_S = 200_000, 50_000, 0.5
        session.config.pluginmanager.getplugin("tdd-monitor")._stream._patience_s = 0.5
"""


def test_a_monitor_that_reads_slowly_is_waited_for(suite: Suite) -> None:
    with listening() as listener:
        listener.pause_s = 0.002
        process = start(suite(conftest=IMPATIENT, test_many=MORE_THAN_A_SOCKET_HOLDS), listener.address)
        output, _ = process.communicate(timeout=60)
        listener.wait_idle(60)
    assert "300 passed" in output
    assert listener.lines[-1].event == RunFinish(0, {"passed": 300}, listener.lines[-1].event.dropped)  # type: ignore[union-attr]
    assert sum(isinstance(line.event, StartedTest) for line in listener.lines) == 300
    assert not listener.missing


def test_a_monitor_that_stalls_forever_is_given_up(suite: Suite) -> None:
    assert streams.PATIENCE_S == 10
    with listening() as listener:
        listener.reading.clear()
        started = time.monotonic()
        process = start(suite(conftest=IMPATIENT, test_many=MORE_THAN_A_SOCKET_HOLDS), listener.address)
        output, _ = process.communicate(timeout=60)
        took_s = time.monotonic() - started
        listener.reading.set()
        listener.wait_idle()
    assert "300 passed" in output
    assert took_s > 0.5
    assert RunFinish not in {type(line.event) for line in listener.lines}


@pytest.mark.parametrize(
    ("dsn", "host", "database", "name"),
    [
        ("postgresql://me:secret@db.example:5432/shop?sslmode=off", "", "", "shop@db.example"),
        ("postgresql://me@/shop?host=/run/pg&port=5", "", "", "shop@local"),
        ("host=db dbname=shop user=me password=secret", "", "", "shop@db"),
        ("", "db", "shop", "shop@db"),
        (None, "", "shop", "shop"),
        (None, "", "", ""),
        ("postgresql://[::1]:x/shop", "", "", "shop@::1"),
        ("postgresql://[bad/shop", "", "", ""),
    ],
)
def test_names_of_pools_have_no_secrets(dsn: object, host: str, database: str, name: str) -> None:
    assert pool_name(dsn, host, database) == name
