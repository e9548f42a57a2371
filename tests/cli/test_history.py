"""`tdd-monitor history` shows the runs of a project and the trend of a test."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from support.history import MS, past, stored

from tdd_monitor.cli.history import history


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    return tmp_path


def shown(*args: str) -> str:
    done = CliRunner().invoke(history, args)
    assert done.exit_code == 0, done.output
    return done.output


def refused(*args: str) -> str:
    done = CliRunner().invoke(history, args)
    assert done.exit_code == 1
    return done.output


def test_runs_are_listed_newest_first(project: Path) -> None:
    stored(project, past(0, "a" * 40), past(1, "b" * 40, dirty=True))
    header, first, second = shown().splitlines()
    assert header.split() == ["started", "commit", "scope", "tests", "failed", "duration", "environment"]
    assert "bbbbbbbb+  all" in first and "a CPU, Python 3.12, 2 workers, cold" in first
    assert "aaaaaaaa   all" in second
    assert len(shown("--limit", "1").splitlines()) == 2


def test_a_test_has_its_figures_its_changes_and_its_flaky_commits(project: Path) -> None:
    slower = [past(n, "abc" if n < 8 else "def", wall_ns=(20 if n < 8 else 40) * MS) for n in range(16)]
    stored(project, *slower, past(16, "def", outcome="failed", queries=3))
    output = shown("::t")
    assert output.startswith("a.py::t\n")
    rows = [line for line in output.splitlines() if "  passed  " in line]
    assert ["40.0 ms" in row for row in rows] == [False] * 8 + [True] * 8
    assert "Duration, oldest first: ▄▄▄▄▄▄▄▄████████  20.0 ms to 40.0 ms" in output
    assert "): duration 20.0 ms -> 40.0 ms (2.0x, p = 0.005)" in output
    assert "Since def (2001-09-09 01:46)" in output
    assert "Flaky: passed and failed on def." in output


def test_a_part_of_the_name_must_belong_to_one_test(project: Path) -> None:
    one, other = past(0, nodeid="a.py::test_one"), past(1, nodeid="a.py::test_one_more")
    stored(project, one, other)
    assert shown("a.py::test_one").startswith("a.py::test_one\n")
    assert refused("one") == (
        "Error: 2 tests have 'one' in their names:\n  a.py::test_one\n  a.py::test_one_more\n"
    )
    assert refused("two") == "Error: No test with 'two' in its name has run in this project.\n"


def test_an_empty_history_says_how_to_fill_it(project: Path) -> None:
    assert refused() == "Error: No runs yet. 'tdd-monitor run' and 'tdd-monitor watch' add them.\n"
