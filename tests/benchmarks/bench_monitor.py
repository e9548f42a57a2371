"""The monitor's side of the stream: lines per second on one core, memory and pauses at 100,000 tests.

A script, not a test: `python tests/benchmarks/bench_monitor.py`. See README.md in this directory.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tdd_monitor.protocol.codec import decode, encode
from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectFinish,
    Event,
    FinishedTest,
    FixtureUse,
    Hello,
    Line,
    Phase,
    PoolUse,
    RunFinish,
    RunRequest,
    StartedTest,
    Statement,
)
from tdd_monitor.session import reducer
from tdd_monitor.session.model import Session
from tdd_monitor.ui.frames.pace import Collector
from tdd_monitor.verdict import Board

GOAL_EVENTS_PER_S = 20_000
GOAL_MB = 300
MB = 1 << 20
MS = 1_000_000
CHUNK = 500
INSERT = "INSERT INTO orders (customer_id, status) VALUES ($1, $2) RETURNING id"
SELECT = "SELECT name, price FROM items WHERE order_id = $1"
STEPS = {
    "parse": "json.loads alone",
    "read": "decode",
    "follow": "decode, apply",
    "judge": "decode, apply, judge",
}


def nodeid(number: int) -> str:
    """A hundred tests per file, with names of typical length."""
    return f"tests/unit/test_module_{number // 100:04d}.py::TestThing::test_case_{number:06d}"


def record(number: int) -> FinishedTest:
    """Three phases, a shared and a function fixture, one pool with three queries; no two records alike."""
    jitter = number * 7919 % 1009
    wall_ns, cpu_ns, rss_bytes = 300_000 + jitter * 311, 280_000 + jitter * 97, 61 * MB + number * 512
    return FinishedTest(
        nodeid(number),
        "passed",
        1,
        number * MS,
        tuple(
            Phase(when, "passed", wall_ns + spread, cpu_ns + spread, rss_bytes, number % 3 * 4096)
            for spread, when in enumerate(("setup", "call", "teardown"))
        ),
        (
            FixtureUse("pool", "session", cached=True, first_user=nodeid(0), baseid="tests/conftest.py"),
            FixtureUse(
                "connection",
                "function",
                setup_ns=wall_ns // 2,
                self_ns=wall_ns // 2,
                teardown_ns=80_000 + jitter,
                start_ns=12_000,
                teardown_start_ns=600_000 + jitter,
                first_user=nodeid(number),
                baseid="tests/conftest.py",
            ),
        ),
        db=(
            PoolUse(
                "asyncpg",
                "shop",
                acquires=1,
                acquire_ns=80_000 + jitter,
                acquire_max_ns=80_000 + jitter,
                peak=1,
                queries=3,
                query_ns=410_000 + jitter,
                slowest=(Statement(INSERT, 1, 200_000 + jitter), Statement(SELECT, 2, 210_000 + jitter)),
            ),
        ),
        peak_rss_bytes=90 * MB,
    )


def events(tests: int) -> Iterator[Event]:
    """The events of one run."""
    yield RunRequest("run", "all", "start")
    yield Hello(1, "", "run", 7, "single", python="3.12.4", pytest="9.2.0", rootdir="/project")
    for start in range(0, tests, CHUNK):
        names = [nodeid(number) for number in range(start, min(tests, start + CHUNK))]
        yield Collect(tuple(CollectedTest(name, name.partition("::")[0], 10) for name in names))
    yield CollectFinish(tests)
    for number in range(tests):
        yield StartedTest(nodeid(number), 1)
        yield record(number)
    yield RunFinish(0, {"passed": tests})


def lines(tests: int) -> Iterator[bytes]:
    """The same events as bytes on the wire."""
    for number, event in enumerate(events(tests), 1):
        yield encode(Line(number, number * 350_000, "", event))


def timed(work: Callable[[list[bytes]], object], stream: list[bytes]) -> float:
    """CPU time of `work` in seconds."""
    started = time.process_time()
    work(stream)
    return time.process_time() - started


def parse(stream: list[bytes]) -> None:
    """Parse JSON only: the minimum for any monitor."""
    for line in stream:
        json.loads(line)


def read(stream: list[bytes]) -> None:
    """Decode and check every field."""
    for line in stream:
        decode(line)


def follow(stream: list[bytes]) -> None:
    """Decode and apply to a session."""
    session = Session()
    for raw in stream:
        line = decode(raw)
        assert line is not None
        reducer.apply(session, line)


def judge(stream: list[bytes]) -> None:
    """Decode, apply and check against the thresholds: all processing before the screen."""
    board = Board()
    for raw in stream:
        line = decode(raw)
        assert line is not None
        board.apply(line)


def speed(tests: int, rounds: int) -> dict[str, float]:
    """Events per second of each step; the steps alternate, so that noise affects all alike."""
    stream = list(lines(tests))
    steps = (parse, read, follow, judge)
    times: dict[str, list[float]] = {step.__name__: [] for step in steps}
    for _ in range(rounds):
        for step in steps:
            times[step.__name__].append(timed(step, stream))
    return {name: len(stream) / statistics.median(taken) for name, taken in times.items()}


def rss_bytes() -> int:
    """Resident memory of this process."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def memory(tests: int) -> dict[str, float]:
    """Memory and longest pause of a board that follows a whole run line by line, in a fresh process."""
    # As on the screen, which runs full collections itself, between keys: they take up to 0.5 s.
    gc.set_threshold(*Collector.YOUNG)
    board = Board()
    before = rss_bytes()
    longest_ns = 0
    for raw in lines(tests):
        started_ns = time.process_time_ns()
        line = decode(raw)
        assert line is not None
        board.apply(line)
        longest_ns = max(longest_ns, time.process_time_ns() - started_ns)
    return {"before_mb": before / MB, "after_mb": rss_bytes() / MB, "longest_pause_ms": longest_ns / MS}


def in_fresh_process(tests: int) -> dict[str, float]:
    """Run `memory` in a process that has not used any memory before."""
    command = [sys.executable, str(Path(__file__)), "--only-memory", "--memory-tests", str(tests)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def show(events_per_s: dict[str, float], held: dict[str, float], tests: int) -> None:
    """Print the table that README.md explains."""
    base = events_per_s["parse"]
    for name, rate in events_per_s.items():
        print(f"{STEPS[name]:22}{rate:10,.0f} events/s   {base / rate:5.2f} x json.loads")
    quick = events_per_s["judge"] >= GOAL_EVENTS_PER_S
    print(f"goal: {GOAL_EVENTS_PER_S:,} events/s on one core: {'met' if quick else 'MISSED'}\n")
    each = (held["after_mb"] - held["before_mb"]) * 1024 / tests
    print(
        f"{tests:,} tests: {held['after_mb']:.0f} MB, {held['before_mb']:.0f} before, {each:.2f} KB per test"
    )
    print(f"longest pause at one line: {held['longest_pause_ms']:.1f} ms")
    print(f"goal: {GOAL_MB} MB: {'met' if held['after_mb'] < GOAL_MB else 'MISSED'}")


def main() -> None:
    """Run everything, or only the part that runs in a separate process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tests", type=int, default=5_000, help="number of tests in the stream used to measure speed"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory-tests", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only-memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_memory:
        print(json.dumps(memory(options.memory_tests)))
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    events_per_s, held = speed(options.tests, options.rounds), in_fresh_process(options.memory_tests)
    if options.json:
        print(json.dumps({"events_per_s": events_per_s, "memory": held}, indent=2))
    else:
        show(events_per_s, held, options.memory_tests)


if __name__ == "__main__":
    main()
