"""`--report FORMAT=FILE` of `run` and `replay`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import command, run
from support.projects import write

FAILS = "def test_passes(): pass\ndef test_fails(): assert 1 == 2\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, test_it=FAILS)


def test_json_and_its_alias_write_the_same_report(project: Path) -> None:
    done = run(project, "--json", "a.json", "--report", "json=b.json")
    assert done.returncode == 1
    assert (project / "a.json").read_text() == (project / "b.json").read_text()
    report = json.loads((project / "a.json").read_text())
    assert (report["version"], report["environment"]["rootdir"]) == (1, str(project))
    assert report["started_at"].startswith("20")
    failed = report["tests"][1]
    assert failed["phases"]["call"]["offset_ms"] > 0 and failed["start_ms"] > report["tests"][0]["start_ms"]
    (failure,) = failed["failures"]
    assert (failure["message"], failure["file"], failure["line"]) == ("assert 1 == 2", "tests/test_it.py", 2)


def test_a_report_can_go_to_standard_output_after_the_summary(project: Path) -> None:
    done = run(project, "--report", "json=-")
    summary, brace, rest = done.stdout.partition("\n{\n")
    assert "1 failed, 1 passed" in summary
    assert json.loads(brace + rest)["exitcode"] == 1


@pytest.mark.parametrize(
    ("file", "reason"),
    [("nowhere/out.json", "No such file or directory"), ("/dev/full", "No space left on device")],
)
def test_an_unwritable_report_is_told_and_keeps_the_exit_code(project: Path, file: str, reason: str) -> None:
    done = command(project, "run", "--report", f"json={file}")
    assert done.returncode == 1
    assert done.stderr == f"Error: Cannot write the json report to {file}: {reason}.\n"
    assert "1 failed, 1 passed" in done.stdout
    passing = command(project, "run", "--report", f"json={file}", "--", "-k", "passes")
    assert passing.returncode == 1 and reason in passing.stderr


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        ("pdf=x", "Unknown report format 'pdf'. Formats: json"),
        ("json", "has no file"),
        ("json=", "has no file"),
    ],
)
def test_a_request_that_is_not_understood_is_a_usage_error(project: Path, report: str, problem: str) -> None:
    done = command(project, "run", "--report", report)
    assert done.returncode == 4 and problem in done.stderr
    assert not (project / ".tdd-monitor").exists()


def test_a_recording_becomes_the_same_report(project: Path) -> None:
    run(project, "--record", "run.ndjson", "--report", "json=live.json")
    done = command(project, "replay", "run.ndjson", "--report", "json=replayed.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    live, replayed = (json.loads((project / name).read_text()) for name in ("live.json", "replayed.json"))
    live["environment"]["directory"] = ""
    live["regressions"] = None  # a replay has no history
    assert replayed == live


def test_a_gate_does_not_judge_a_report_of_a_later_version(project: Path) -> None:
    run(project, "--report", "json=report.json")
    report = json.loads((project / "report.json").read_text())
    (project / "report.json").write_text(json.dumps({**report, "version": 2}))
    done = command(project, "gate", "report.json")
    assert done.returncode == 4
    assert "report.json has version 2" in done.stderr


def test_an_agent_gets_its_report_instead_of_the_summary(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    chosen = command(project, "run", "--gate")
    lines = chosen.stdout.splitlines()
    assert chosen.returncode == 1
    assert lines[0] == "Report for coding agents, because CLAUDECODE is set. --no-agent prints the full one."
    assert lines[1].startswith("1 failed, 1 passed in ") and "PERFORMANCE GATE passed" in lines
    assert "rerun what failed: tdd-monitor run tests/test_it.py::test_fails" in lines
    assert "Slowest tests" in command(project, "run", "--no-agent").stdout
    monkeypatch.delenv("CLAUDECODE")
    assert "Slowest tests" not in command(project, "run", "--agent").stdout


def test_the_agent_report_explains_a_usage_error(project: Path) -> None:
    done = command(project, "run", "--agent", "--", "--no-such-option")
    assert done.returncode == 4
    assert "unrecognized arguments: --no-such-option" in done.stdout


def test_a_reader_that_leaves_changes_nothing(project: Path) -> None:
    words = f"{sys.executable} -m tdd_monitor run --report json=- --report agent=out.txt | true"
    script = f"{words}; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=project, capture_output=True, text=True, check=False)
    assert done.stdout == "1\n" and "Exception ignored" not in done.stderr
    assert (project / "out.txt").exists()
