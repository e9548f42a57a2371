"""What a run reports of the memory of its process: warm-up, steps and leaks, each in a real pytest."""

import json
from pathlib import Path

import pytest
from support.commands import run
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


@pytest.mark.parametrize(
    ("tests", "alerted"),
    [(LEAK, [GROWTH]), (STEPS, []), (ONE, [USAGE])],
    ids=["leak", "steps", "one test"],
)
def test_leaks_raise_an_alert_and_single_steps_do_not(
    tmp_path: Path, tests: str, alerted: list[tuple[str, str]]
) -> None:
    project = write(tmp_path, test_memory=tests, conftest=CONFTEST)
    done = run(project, "--json", "out.json")
    assert done.returncode == 0, done.stdout
    found = json.loads((project / "out.json").read_text())
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
    assert f"+{memory['warm_up_mb']:.1f} MB before the first test" in done.stdout
    assert f"+{memory['growth_mb']:.1f} MB during tests" in done.stdout
