"""Kills pytest or the monitor with SIGKILL at random moments and checks what remains.

    python tests/reliability/kill_at_random.py [--rounds 100] [--seed 1]

A suite of 400 tests logs the passed ones to a file. Rounds alternate between killing pytest (the monitor
must exit by itself, report the run as lost, and know every test that had passed just before) and killing
the monitor (pytest must run to the end, and the recording must replay). No process may survive a round.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tdd_monitor.history import recording

SUITE = """
import os, time, pytest

@pytest.mark.parametrize("i", range(400))
def test_it(i):
    time.sleep(0.002)
    os.write(PASSED, b"%d\\n" % i)

PASSED = os.open(os.environ["PASSED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
"""
MARK = "TDD_MONITOR_KILL_ROUND"
END_S = 60.0


def survivors(mark: str) -> list[psutil.Process]:
    """Processes of this round that are still running."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def pytest_of(monitor: psutil.Process) -> psutil.Process | None:
    """The pytest process of the monitor; None if it has not started."""
    return next((p for p in monitor.children() if "bootstrap.py" in " ".join(p.cmdline())), None)


def one_round(directory: Path, victim: str, after_s: float, mark: str) -> str:
    """Run one round; returns what is wrong, "" for nothing."""
    passed, record, report = (directory / f"{mark}.{kind}" for kind in ("passed", "ndjson", "json"))
    env = {**os.environ, MARK: mark, "PASSED": str(passed)}
    command = [sys.executable, "-m", "tdd_monitor", "run", "--record", str(record), "--json", str(report)]
    monitor = psutil.Popen(command, cwd=directory, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(after_s)
    child = pytest_of(monitor)
    target = child if victim == "pytest" else monitor
    known = passed.read_bytes().count(b"\n") if passed.exists() else 0
    if target is None or not target.is_running():
        monitor.wait(END_S)
        return ""
    target.kill()
    code = monitor.wait(END_S)
    until_s = time.monotonic() + END_S
    while survivors(mark) and time.monotonic() < until_s:
        time.sleep(0.05)
    if survivors(mark):
        return f"still running: {[(p.pid, p.status(), p.cmdline()) for p in survivors(mark)]}"
    if victim == "monitor":
        return after_monitor(passed, record, child is not None)
    return after_pytest(code, known, report, monitor.stderr.read().decode())


def after_monitor(passed: Path, record: Path, started: bool) -> str:
    """Check that pytest ran all 400 tests and that the recording is readable."""
    ran = passed.read_bytes().count(b"\n") if passed.exists() else 0
    if started and ran != 400:
        return f"pytest ran {ran} of 400 tests after the monitor's death"
    try:
        list(recording.read(record))
    except recording.RecordingError as error:
        return str(error) if record.exists() and record.stat().st_size else ""
    return ""


def after_pytest(code: int, known: int, report: Path, errors: str) -> str:
    """Check that the monitor reports the run as lost and knows the passed tests."""
    if not report.exists():
        return f"no report, exit code {code}: {errors}"
    document = json.loads(report.read_text())
    if document["state"] == "finished":
        return ""  # it had already finished
    if code != 137:
        return f"exit code {code} instead of 137"
    if document["counts"]["passed"] < known - 1:  # the last may not have arrived
        return f"{document['counts']['passed']} of {known} passed tests are known"
    return ""


def main() -> None:
    """Run all rounds; exits with 1 if any went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance, wrong = random.Random(given.seed), 0
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "test_it.py").write_text(SUITE)
        (directory / "pyproject.toml").touch()
        for number in range(given.rounds):
            victim, after_s = ("pytest", "monitor")[number % 2], chance.uniform(0.1, 2.5)
            trouble = one_round(directory, victim, after_s, f"{os.getpid()}-{number}")
            wrong += bool(trouble)
            if trouble:
                print(f"round {number}, {victim} killed after {after_s:.2f} s: {trouble}")
    print(f"{given.rounds} rounds, seed {given.seed}: {wrong} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
