"""Checks that every line arrives, however many there are and however slowly the monitor reads.

    python tests/reliability/equal_counts.py [many] [large] [slow] [--scale 1.0]

many: 100,000 tests. large: 1,000 tests that print 1 MB each. slow: 20,000 tests with 4 KB of output each,
and a monitor that reads 2.5 MB per second. Runs each suite under the monitor; exits with 1 if a count is
not the number of tests, a line is missing, or the exit code is not 0.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tdd_monitor.config import Settings
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.pytest_process.launch import Target
from tdd_monitor.runner.stream import server
from tdd_monitor.session import completeness

SUITE = "import pytest\n@pytest.mark.parametrize('i', range({count}))\ndef test_it(i): {body}\n"


@dataclass(frozen=True)
class Case:
    """The number of tests, their body, and how long the monitor waits after each 256 KiB."""

    count: int
    body: str = "pass"
    read_every_s: float = 0.01


CASES = {
    "many": Case(100_000),
    "large": Case(1_000, "print('x' * 1_000_000)"),
    "slow": Case(20_000, "print('x' * 4_000)", 0.1),
}


def arrives(name: str, case: Case, count: int, directory: Path) -> bool:
    """Run the suite; print the result and return whether everything arrived."""
    (directory / f"test_{name}.py").write_text(SUITE.format(count=count, body=case.body))
    server._READ_EVERY_S = case.read_every_s
    target = Target(sys.executable, directory, (f"test_{name}.py",), ("-p", "no:cacheprovider"))
    engine = Engine(Settings(root=directory), target)
    started_s = time.monotonic()
    code = asyncio.run(run_headless(engine))
    took_s = time.monotonic() - started_s
    run = engine.board.session.run
    assert run is not None
    problems = completeness.problems(run)
    complete = (code, +run.counts, run.done, problems) == (0, {"passed": count}, count, [])
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}: {count:,} tests in {took_s:.1f} s, {dict(run.counts)}, "
        f"pytest counted {run.reported_counts}, exit code {code}, "
        f"{run.dropped:,} samples dropped, monitor's peak {peak_mb:.0f} MB: "
        f"{'all arrived' if complete else problems or 'WRONG'}"
    )
    return complete


def main() -> None:
    """Run the requested cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("case", nargs="*", default=[*CASES])
    parser.add_argument("--scale", type=float, default=1.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        cases = [(name, CASES[name]) for name in chosen.case]
        found = [arrives(name, case, int(case.count * chosen.scale), Path(directory)) for name, case in cases]
    sys.exit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
