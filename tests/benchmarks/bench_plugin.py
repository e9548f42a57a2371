"""The overhead of measuring: whole-process time of the same suites, bare and with each reporting plugin.

    python tests/benchmarks/bench_plugin.py [--rounds 7] [--suite trivial-1000]

Creates an environment in a temporary directory (pytest and the other plugins from the package index), loads
exactly one plugin per run and alternates between them, so that the machine's noise affects all alike.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tdd_monitor

BOOTSTRAP = Path(tdd_monitor.__file__).parent / "plugin" / "bootstrap.py"
PACKAGES = (
    "pytest<9",  # pytest-monitor fails on 9
    "psutil",
    "asyncpg",
    "pytest-asyncio",
    "pytest-monitor",
    "pytest-json-report",
    "pytest-reportlog",
    "pytest-durations",
    "pytest-sugar",
)

TRIVIAL = "import pytest\n@pytest.mark.parametrize('i', range({count}))\ndef test_it(i): pass\n"
BUSY = """
import time, pytest
@pytest.mark.parametrize('i', range({count}))
def test_it(i):
    until = time.perf_counter_ns() + 1_000_000
    while time.perf_counter_ns() < until: pass
"""
DATABASE = """
import asyncpg, os, pytest, pytest_asyncio

@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def pool():
    async with asyncpg.create_pool(os.environ["BENCH_URL"], min_size=1, max_size=2) as pool:
        yield pool

@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("i", range({count}))
async def test_it(pool, i):
    async with pool.acquire() as connection:
        for number in range(5):
            assert await connection.fetchval("SELECT $1::int", number) == number
"""
SUITES = {
    "trivial-1000": (TRIVIAL, 1_000),
    "trivial-10000": (TRIVIAL, 10_000),
    "trivial-100000": (TRIVIAL, 100_000),
    "busy-1ms-1000": (BUSY, 1_000),
    "database-200": (DATABASE, 200),
}
READ_EVERY_S = 0.01  # as runner/stream/server.py does
BARE = "bare pytest"
OURS = "tdd-monitor"


@dataclass(frozen=True)
class Contender:
    """One way to run the suite: a name and the arguments that load just that plugin."""

    name: str
    arguments: tuple[str, ...] = ()


def contenders(directory: Path) -> tuple[Contender, ...]:
    """Bare pytest first, then ours, then the others."""
    return (
        Contender(BARE),
        Contender(OURS),
        Contender("pytest-monitor", ("-p", "pytest_monitor.pytest_monitor", "--db", str(directory / "m.db"))),
        Contender(
            "pytest-json-report",
            ("-p", "pytest_jsonreport.plugin", "--json-report", f"--json-report-file={directory / 'r.json'}"),
        ),
        Contender("pytest-reportlog", ("-p", "pytest_reportlog.plugin", f"--report-log={directory / 'log'}")),
        Contender(
            "pytest-durations",
            (
                "-p",
                "pytest_durations",
            ),
        ),
        Contender("pytest-sugar", ("-p", "pytest_sugar", "--force-sugar")),
    )


@contextmanager
def sink(directory: Path) -> Iterator[str]:
    """A listener that reads and discards everything, in a separate process like the monitor."""
    path = directory / "sink"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    if (child := os.fork()) == 0:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_drain, args=(connection,), daemon=True).start()
    try:
        yield f"unix:{path}"
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        listener.close()


def _drain(connection: socket.socket) -> None:
    while connection.recv(1 << 18):
        time.sleep(READ_EVERY_S)


def run_s(python: Path, contender: Contender, suite: Path, address: str) -> float:
    """Whole-process seconds of one run."""
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    common = ["-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", str(suite), *contender.arguments]
    if contender.name == OURS:
        env |= {"TDD_MONITOR_ADDRESS": address, "TDD_MONITOR_TOKEN": "x", "TDD_MONITOR_RUN": "x"}
        command = [str(python), str(BOOTSTRAP), *common]
    else:
        command = [str(python), "-m", "pytest", *common]
    started = time.perf_counter()
    subprocess.run(command, env=env, cwd=suite.parent, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def make_environment(directory: Path) -> Path:
    """A fresh environment with pytest and every contender; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
    python = directory / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-qq", *PACKAGES], check=True)
    return python


def measure(name: str, rounds: int, python: Path, directory: Path, address: str) -> None:
    """Time one suite with each contender in turn, and print a table."""
    template, count = SUITES[name]
    suite = directory / f"test_{name.replace('-', '_')}.py"
    suite.write_text(template.format(count=count))
    # pytest-monitor takes some 40 ms per test: too long for more than a few hundred.
    competing = [each for each in contenders(directory) if count < 1_000 or each.name != "pytest-monitor"]
    if count > 10_000:
        competing = [each for each in competing if each.name in {BARE, OURS}]
    times: dict[str, list[float]] = {each.name: [] for each in competing}
    for turn in range(rounds + 1):
        for each in competing:
            elapsed_s = run_s(python, each, suite, address)
            if turn:  # the first round fills caches
                times[each.name].append(elapsed_s)
    print(f"\n{name}: {rounds} rounds in turns, median of each round's ratio to bare pytest")
    for each in competing:
        pairs = list(zip(times[each.name], times[BARE], strict=True))
        ratio = statistics.median(ours / bare for ours, bare in pairs)
        extra_us = statistics.median((ours - bare) / count * 1e6 for ours, bare in pairs)
        median_s = statistics.median(times[each.name])
        print(f"  {each.name:20} {median_s:7.3f} s   x {ratio:5.3f}   {extra_us:+8.1f} us per test")


def start_up(rounds: int, directory: Path) -> None:
    """Compare a plain pytest run of one test with and without the package installed."""
    project = directory / "plain"
    project.mkdir()
    (project / "test_one.py").write_text("def test_one(): pass\n")
    pythons = []
    package = str(Path(__file__).parents[2])
    for name in ("without", "with"):
        subprocess.run([sys.executable, "-m", "venv", str(directory / name)], check=True)
        python = str(directory / name / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-qq", package], check=True)
        pythons.append(python)
    # Dependencies stay in both: platformdirs, which Textual requires, has a pytest plugin of its own.
    subprocess.run([pythons[0], "-m", "pip", "uninstall", "-qq", "-y", "tdd-monitor"], check=True)
    ratios = []
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for turn in range(8 * rounds):
        times = []
        for python in pythons if turn % 2 else reversed(pythons):
            started = time.perf_counter()
            command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            subprocess.run(command, cwd=project, env=env, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - started)
        without, with_us = times if turn % 2 else reversed(times)
        if turn > 1:
            ratios.append(with_us / without)
    print(f"\nplain pytest, package installed / not installed: x {statistics.median(ratios):.3f}")


def main() -> None:
    """Run the requested suites."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--suite", choices=[*SUITES, "start-up"], action="append")
    chosen = parser.parse_args()
    from tdd_monitor.testing.postgres import acquire_server

    wanted = chosen.suite or [*SUITES, "start-up"]
    with tempfile.TemporaryDirectory() as name, acquire_server() as lease:
        directory = Path(name)
        os.environ["BENCH_URL"] = lease.address.url()
        if set(wanted) - {"start-up"}:
            python = make_environment(directory / "env")
            with sink(directory) as address:
                for suite in wanted:
                    if suite != "start-up":
                        measure(suite, chosen.rounds, python, directory, address)
        if "start-up" in wanted:
            start_up(chosen.rounds, directory)


if __name__ == "__main__":
    main()
