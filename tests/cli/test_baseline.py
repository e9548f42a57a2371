"""`tdd-monitor baseline` shows, compares and accepts what tests are compared with."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.history import HERE, MS, past, stored

from tdd_monitor.cli.baseline import baseline
from tdd_monitor.history.committed import CommittedBaseline
from tdd_monitor.history.sqlite import SQLite
from tdd_monitor.history.store import Store
from tdd_monitor.testing.measuring.baseline_file import BASELINE_FILE


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def shown(*args: str, code: int = 0) -> str:
    done = CliRunner().invoke(baseline, args)
    assert done.exit_code == code, done.output
    return done.output


def test_update_accepts_the_last_full_run(project: Path) -> None:
    stored(project, past(0, queries=9), past(1, nodeid="b.py::t", queries=3, wall_ns=20 * MS))
    assert "Accepted 1 test." in shown("update")
    assert json.loads((project / BASELINE_FILE).read_text()) == {"b.py::t [queries]": 3}
    assert Store(SQLite(project)).anchors(HERE)["b.py::t"].wall_ns == 20 * MS
    assert "✓ yes" in shown("show")


def test_accept_leaves_other_tests_and_the_entries_of_others_alone(project: Path) -> None:
    (project / BASELINE_FILE).write_text(
        '{"schema setup": 12.5, "b.py::t [queries]": 1, "a.py::t [queries]": 1}'
    )
    stored(project, past(0, queries=7))
    shown("accept", "::t")
    assert json.loads((project / BASELINE_FILE).read_text()) == {
        "a.py::t [queries]": 7,
        "b.py::t [queries]": 1,
        "schema setup": 12.5,
    }


def test_a_full_update_drops_tests_that_are_gone(project: Path) -> None:
    (project / BASELINE_FILE).write_text('{"gone.py::t [queries]": 1, "schema setup": 12.5}')
    stored(project, past(0, queries=7))
    shown("update")
    assert CommittedBaseline(project).counts() == {
        "a.py::t": {"queries": 7, "ddl": 0, "pool_peak": 0, "leaked": 0}
    }
    assert "schema setup" in (project / BASELINE_FILE).read_text()


def test_diff_lists_what_changed(project: Path) -> None:
    stored(project, past(0, queries=3, wall_ns=20 * MS))
    shown("update")
    assert "No difference" in shown("diff")
    stored(project, past(1, queries=4, wall_ns=40 * MS))
    lines = [" ".join(line.split()) for line in shown("diff").splitlines()]
    assert "▲ queries 3 4 a.py::t" in lines
    assert "▲ duration 20.0 ms 40.0 ms a.py::t" in lines


def test_tests_without_a_baseline_and_baselines_without_a_test_are_named(project: Path) -> None:
    (project / BASELINE_FILE).write_text('{"gone.py::t [queries]": 1}')
    stored(project, past(0))
    output = shown("diff")
    assert "1 test without a baseline: a.py::t" in output
    assert "1 test in the baseline that did not run: gone.py::t" in output


@pytest.mark.parametrize("content", ["{", '{"a": "b"}', "[]"])
def test_a_damaged_file_is_named_and_kept(project: Path, content: str) -> None:
    (project / BASELINE_FILE).write_text(content)
    stored(project, past(0))
    assert f"{BASELINE_FILE} is not" in shown("update", code=1)
    assert (project / BASELINE_FILE).read_text() == content


def test_without_a_full_run_there_is_nothing_to_accept(project: Path) -> None:
    assert "No full run yet" in shown("update", code=1)
    stored(project, past(0, outcome="failed"))
    assert "Nothing to accept" in shown("update", code=1)
    assert "No baseline yet" in shown("show", code=1)
