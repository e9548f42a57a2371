"""Thresholds of single tests, from pyproject.toml and marks to the report."""

import json
from pathlib import Path

from support.commands import run
from support.projects import write

CONFIG = """
[tool.pytest.ini_options]
markers = ["slow"]
addopts = "--strict-markers"

[tool.tdd-monitor.thresholds]
test_duration_ms = 1
memory_usage_mb = 0

[[tool.tdd-monitor.overrides]]
path = "tests/test_it.py"
marker = "slow"
test_duration_ms = 2
"""
SOURCE = """
import time
import pytest

def test_general(): time.sleep(0.01)

@pytest.mark.slow
def test_overridden(): time.sleep(0.01)

@pytest.mark.tdd_threshold(test_duration_ms=3)
@pytest.mark.slow
def test_marked(): time.sleep(0.01)

@pytest.mark.tdd_threshold(test_duration_ms=0)
def test_off(): time.sleep(0.01)

@pytest.mark.tdd_threshold(duration=5)
def test_wrong(): pass
"""


def test_the_report_says_which_rule_set_a_threshold(tmp_path: Path) -> None:
    write(tmp_path, test_it=SOURCE)
    (tmp_path / "pyproject.toml").write_text(CONFIG)
    done = run(tmp_path, "--json", str(tmp_path / "report.json"), "--report", "markdown=report.md")
    alerts = json.loads((tmp_path / "report.json").read_text())["alerts"]
    mark = "tdd_threshold of test_marked, tests/test_it.py:10"
    rules = {each["subject"].rpartition("::")[2]: (each["threshold"], each["rule"]) for each in alerts}
    assert (
        rules.items()
        >= {
            "test_general": (1, None),
            "test_overridden": (2, "pyproject.toml:10"),
            "test_marked": (3, mark),
        }.items()
    )
    assert "test_off" not in rules
    shown = " ".join(done.stdout.split())
    assert f"(limit: {mark})" in shown and "(limit: pyproject.toml:10)" in shown
    assert "tdd_threshold of tests/test_it.py::test_wrong: there is no threshold duration per test." in shown
    assert f"limit 3 ms ({mark})" in (tmp_path / "report.md").read_text()
    assert done.returncode == 0
