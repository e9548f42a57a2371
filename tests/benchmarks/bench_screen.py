"""The screen: time from key to frame with 100,000 tests, and memory over 1,000 runs and over an hour.

A script, not a test: `python tests/benchmarks/bench_screen.py`. See README.md in this directory.
"""

import argparse
import asyncio
import gc
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))
from support import streams
from support.terminal import Terminal

from tdd_monitor.config import Settings
from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectError,
    CollectFinish,
    Event,
    FinishedTest,
    Hello,
    Line,
    Phase,
    PoolSample,
    RunFinish,
    RunRequest,
    Sample,
    StartedTest,
)
from tdd_monitor.runner.control import Listener
from tdd_monitor.ui import app as app_module
from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.verdict import Board

MB = 1 << 20
RUNNING_PER_S = 2_000  # events per second while keys are pressed
PARTS = ("keys", "runs", "hour")


class Source:
    """A control fed by the benchmark."""

    can_run, watching = True, False
    title = "tests"

    def __init__(self) -> None:
        self.board = Board()
        self.output: deque[str] = deque()
        self.notices: deque[str] = deque()
        self._listeners: list[Listener] = []

    def play(self, line: Line) -> None:
        """Receive one line."""
        delta = self.board.apply(line)
        for listener in self._listeners:
            listener(delta)

    def send(self, *events: Event) -> None:
        """Receive events, a millisecond apart."""
        for event in events:
            self.play(Line(1, self.board.session.now_ns + 1_000_000, "", event))

    def subscribe(self, listener: Listener) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    def now_ns(self) -> int:
        """The time of the stream."""
        return self.board.session.now_ns

    async def start(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""

    def rerun(self, nodeids: Sequence[str] | None, reason: str) -> None:
        """Do nothing."""

    def cancel(self) -> None:
        """Do nothing."""

    def kill(self) -> None:
        """Do nothing."""

    def toggle_watching(self) -> None:
        """Do nothing."""

    def accept(self, nodeids: Sequence[str]) -> None:
        """Do nothing."""

    def command(self, nodeids: Sequence[str]) -> str:
        """Return no command."""
        return ""


# From a key to its frame


async def show_keys(tests: int) -> None:
    """Runs in its own terminal: a run in progress whose tests have all been seen before."""
    source = Source()
    for line in streams.large(tests):
        source.play(line)
    source.send(RunRequest("again", "all"), CollectFinish(tests))
    app = MonitorApp(source, Settings())
    feeding = asyncio.create_task(feed(source, list(source.board.session.items)))
    await app.run_async()
    feeding.cancel()


async def feed(source: Source, nodeids: list[str]) -> None:
    """Run every test again, at a fixed rate."""
    records = {nodeid: source.board.session.items[nodeid].record for nodeid in nodeids}
    each, started = 0, time.perf_counter()
    while True:
        await asyncio.sleep(0.005)
        until = int((time.perf_counter() - started) * RUNNING_PER_S / 2)
        for number in range(each, until):
            nodeid = nodeids[number % len(nodeids)]
            record = records[nodeid]
            assert record is not None
            source.send(StartedTest(nodeid, 1), record._replace(started_ns=source.now_ns()))
        each = until


def keys(tests: int, presses: int) -> dict[str, float]:
    """Milliseconds from a key until the terminal has received the cursor's new position."""
    command = [sys.executable, str(Path(__file__)), "--only-keys", "--tests", str(tests)]
    terminal = Terminal(command, Path.cwd(), 120, 40)
    try:
        terminal.shows(f"of {tests:,}", timeout_s=180)
        terminal.press("g")
        terminal.shows(f"1 of {tests:,}")
        taken = [_press(terminal, f"{position:,} of {tests:,}") for position in range(2, presses + 2)]
    finally:
        terminal.close()
    taken.sort()
    p95 = taken[int(len(taken) * 0.95)]
    return {"median_ms": statistics.median(taken), "p95_ms": p95, "max_ms": taken[-1]}


def _press(terminal: Terminal, wanted: str) -> float:
    pattern = re.compile(re.escape(wanted).encode())
    terminal.received = b""
    started = time.perf_counter()
    terminal.press("j")
    while not pattern.search(terminal.received):
        assert time.perf_counter() - started < 30, wanted
        terminal.received += terminal.process.read_nonblocking(1 << 16, timeout=30)
    taken = time.perf_counter() - started
    time.sleep(0.15 + taken % 0.05)  # out of step with the frames
    return taken * 1000


# Growth


class Clock:
    """Replaces the module `time` in the application with a simulated clock."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def perf_counter(self) -> float:
        """Simulated seconds."""
        return self.now_s


def failing_run(number: int) -> Iterator[Event]:
    """A run in which eleven files cannot be imported: 0.7 MB of tracebacks."""
    run = f"run-{number}"
    yield RunRequest(run, "all", "saved orders.py")
    yield Hello(1, "", run, 7, "single", python="3.12.4", pytest="9.2.0", rootdir="/project")
    for file in range(11):
        yield CollectError(
            f"tests/test_{file}.py", f"{number}\n" + "E   ImportError: no such module\n" * 2000
        )
    yield Collect((CollectedTest("tests/test_a.py::test", "tests/test_a.py", 3),))
    yield CollectFinish(1)
    yield RunFinish(2, {"error": 11})


def second_of_a_run(second: int) -> Iterator[Event]:
    """Ten tests and ten samples; tests repeat after 400 seconds, so that only garbage can grow."""
    for number in range(10):
        nodeid = f"tests/test_{second % 400}.py::test_{number}"
        phase = Phase("call", "passed", 50_000_000 + second, 40_000_000, 60 * MB, number * 4096)
        yield StartedTest(nodeid, 1)
        yield FinishedTest(nodeid, "passed", 1, second, (phase,))
        yield Sample(60 * MB + second * 100, pools=(PoolSample("shop", "asyncpg", number, 3, 10, 10),))


async def grow(part: str, count: int, frames: int) -> list[dict[str, float]]:
    """Play `count` runs or seconds with `frames` each; returns memory at ten points, after a warm-up."""
    source, clock = Source(), Clock()
    app = MonitorApp(source, Settings())
    vars(app_module).update(FRAMES_PER_SECOND=0.001, time=clock)
    found = []
    async with app.run_test(size=(120, 40)) as pilot:
        if part == "hour":
            source.send(RunRequest("run", "all"), Hello(1, "", "run", 7, "single", rootdir="/project"))
        for number in range(count + 1):
            source.send(*(failing_run(number) if part == "runs" else second_of_a_run(number)))
            for _ in range(frames):
                clock.now_s += (5.0 if part == "runs" else 1.0) / frames
                app._frame()
                await asyncio.sleep(0)
                await pilot._wait_for_screen(timeout=5)
            if number and number % (count // 10) == 0:
                rss_mb = psutil.Process().memory_info().rss / MB
                objects = len(gc.get_objects()) + gc.get_freeze_count()
                found.append({"at": number, "rss_mb": round(rss_mb, 1), "objects": objects})
    return found


def in_fresh_process(part: str, count: int) -> list[dict[str, float]]:
    """Run `grow` in a process that has not used any memory before."""
    with tempfile.NamedTemporaryFile() as file:
        command = [sys.executable, str(Path(__file__)), "--only-grow", part, "--count", str(count)]
        subprocess.run([*command, "--out", file.name], check=True)
        found: list[dict[str, float]] = json.loads(Path(file.name).read_text())
        return found


def main() -> None:
    """Run everything, or only the part that runs in a separate process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--tests", type=int, default=100_000)
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=3600)
    for hidden in ("--only-grow", "--out"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--only-keys", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_keys:
        asyncio.run(show_keys(options.tests))
    elif options.only_grow:
        found = asyncio.run(grow(options.only_grow, options.count, 2))
        Path(options.out).write_text(json.dumps(found))
    for part in [] if options.only_keys or options.only_grow else options.parts or PARTS:
        if part == "keys":
            figures = keys(options.tests, options.presses)
            print(f"key to frame, {options.tests:,} tests:", figures)
        else:
            for row in in_fresh_process(part, options.runs if part == "runs" else options.seconds):
                print(f"{part:6}{row['at']:6,}  {row['rss_mb']:7.1f} MB  {row['objects']:9,} objects")


if __name__ == "__main__":
    main()
