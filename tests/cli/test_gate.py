"""`run --gate` and `gate REPORT`: the exit codes that CI sees."""

import json
from pathlib import Path

import pytest
from support.commands import command, run
from support.projects import write

GATE = "[tool.tdd-monitor.gate]\nmax_test_time_ms = {limit}\naverage_test_time_ms = 0\nleaks = 'off'\n"
SLEEPS = "import time\ndef test_sleeps(): time.sleep(0.03)"


def project(root: Path, limit: float, source: str = SLEEPS) -> Path:
    write(root, test_it=source)
    (root / "pyproject.toml").write_text(GATE.format(limit=limit))
    return root


def judged_again(root: Path, report: Path) -> int:
    return command(root, "gate", str(report)).returncode


def test_a_limit_that_holds_passes(tmp_path: Path) -> None:
    done = run(project(tmp_path, 1e6), "--gate", "--json", str(tmp_path / "report.json"))
    assert done.returncode == 0
    assert "✓ passed  max_test_time_ms" in done.stdout
    assert done.stdout.endswith("Performance gate passed.\n")
    assert json.loads((tmp_path / "report.json").read_text())["gate"]["passed"] is True


def test_an_exceeded_limit_fails_now_and_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run(project(tmp_path, 29), "--gate", "--json", str(report))
    assert done.returncode == 3
    assert "✗ failed  max_test_time_ms" in done.stdout and "> 29" in done.stdout
    assert json.loads(report.read_text())["gate"]["passed"] is False
    assert judged_again(tmp_path, report) == 3
    project(tmp_path, 1e6)
    assert judged_again(tmp_path, report) == 0


SLOW_ONCE = """
import pathlib, time
ran = pathlib.Path(__file__).with_name("ran")
def test_slow_once():
    time.sleep(0 if ran.exists() else 0.4)
    ran.touch()
"""


@pytest.mark.parametrize(("reruns", "code", "runs"), [(0, 3, 1), (2, 0, 2)])
def test_a_breach_is_measured_again_before_the_gate_fails(
    tmp_path: Path, reruns: int, code: int, runs: int
) -> None:
    done = run(project(tmp_path, 300, SLOW_ONCE), "--gate", f"--reruns-on-breach={reruns}")
    assert done.returncode == code
    assert done.stdout.count("Measuring again: ") == runs - 1


def test_failed_tests_come_first(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run(project(tmp_path, 1, SLEEPS + "; assert False"), "--gate", "--json", str(report))
    assert done.returncode == 1 == judged_again(tmp_path, report)
    assert "✗ failed  max_test_time_ms" in done.stdout


def test_a_run_without_tests_is_not_measured(tmp_path: Path) -> None:
    done = run(project(tmp_path, 1e6, "import pytest\n@pytest.mark.skip\ndef test_it(): pass"), "--gate")
    assert done.returncode == 4
    assert "no test ran" in done.stdout


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "Cannot read"),
        ("{", "is not a report of"),
        ("[]", "is not a report of"),
        ('{"exitcode": 0}', "is not a report of"),
        ("\x00\xff", "is not a report of"),
    ],
)
def test_what_is_no_report_does_not_pass(content: str | None, problem: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    if content is not None:
        report.write_text(content, "latin-1")
    done = command(project(tmp_path, 1), "gate", str(report))
    assert done.returncode == 4
    assert problem in done.stderr


def test_a_wrong_level_names_the_accepted_ones(tmp_path: Path) -> None:
    project(tmp_path, 1).joinpath("pyproject.toml").write_text("[tool.tdd-monitor.gate]\nleaks = 'maybe'\n")
    done = command(tmp_path, "gate", "x.json")
    assert done.returncode == 4
    assert "[tool.tdd-monitor.gate] leaks must be one of off, warn, fail, not 'maybe'" in done.stderr
