"""What a run says of the memory of its process: warm-up, steps and leaks, each in a real pytest."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.projects import write

CONFTEST = """
warm = bytearray(b"x") * (30 << 20)
"""
LEAK = """
import pytest
kept = []

@pytest.mark.parametrize("n", range(60))
def test_keeps(n):
    kept.append(bytearray(b"x") * (400 << 10))
"""
STEPS = """
import pytest
kept = []

@pytest.mark.parametrize("n", range(60))
def test_works(n):
    if n < 6:
        kept.append(bytearray(b"x") * (4 << 20))  # as imports and caches do
"""
ONE = """
import pytest
kept = []

@pytest.mark.parametrize("n", range(60))
def test_works(n):
    if n == 40:
        kept.append(bytearray(b"x") * (24 << 20))
"""
GROWTH, USAGE = (
    ("memory_growth_mb", "test process"),
    ("memory_usage_mb", "tests/test_memory.py::test_works[40]"),
)


def document(project: Path) -> tuple[dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "tdd_monitor", "run", "tests", "--json", "out.json"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads((project / "out.json").read_text()), done.stdout


@pytest.mark.parametrize(
    ("tests", "alerted"),
    [(LEAK, [GROWTH]), (STEPS, []), (ONE, [USAGE])],
    ids=["leak", "steps", "one test"],
)
def test_a_leak_is_told_of_the_process_or_of_the_one_test_and_a_step_not_at_all(
    tmp_path: Path, tests: str, alerted: list[tuple[str, str]]
) -> None:
    found, printed = document(write(tmp_path, test_memory=tests, conftest=CONFTEST))
    alerts = [
        (alert["metric"], alert["subject"])
        for alert in found["alerts"]
        if alert["metric"].startswith("memory")
    ]
    (memory,) = (worker for worker in found["memory"] if worker["worker"] == "")
    assert 22 < memory["growth_mb"] < 35
    assert 30 < memory["warm_up_mb"] < 90
    assert memory["first_rss_mb"] + memory["warm_up_mb"] + memory["growth_mb"] <= memory["peak_rss_mb"] + 1
    assert alerts == alerted
    assert f"+{memory['warm_up_mb']:.1f} MB before the first test" in printed
    assert f"+{memory['growth_mb']:.1f} MB during tests" in printed
