"""The command line in a process of its own, as a shell starts it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import command
from support.patience import PATIENT_MONITOR
from support.projects import MIXED, MIXED_COUNTS, QUIET, write


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, test_mixed=MIXED)


@pytest.mark.usefixtures("all_plugins")
def test_run_prints_failures_writes_json_and_exits_as_pytest_does(project: Path) -> None:
    done = command(project, "run", "tests", "--json", "out.json")
    assert done.returncode == 1
    assert "FAILED tests/test_mixed.py::test_fails" in done.stdout
    assert "assert [1, 2] == [1, 3]" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 failed, 2 errors, 2 passed, 1 skipped")
    document = json.loads((project / "out.json").read_text())
    assert document["counts"] == MIXED_COUNTS
    tests = {test["nodeid"]: test for test in document["tests"]}
    failed = tests["tests/test_mixed.py::test_fails"]
    assert failed["outcome"] == "failed" and failed["test_duration_ms"] > 0
    assert set(failed["phases"]) == {"setup", "call", "teardown"}


def test_arguments_after_two_dashes_go_to_pytest(project: Path) -> None:
    done = command(project, "run", "tests", "--", "-k", "test_passes or test_skipped")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("1 passed, 1 skipped")


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (("run", "nowhere"), 4, "nowhere not found in"),
        (("run", "--python", "/no/python"), 4, "No Python interpreter at /no/python"),
        (("run", "--record", "/no/dir/x"), 4, "Cannot record to /no/dir/x"),
        (("replay", "nothing.ndjson"), 4, "Cannot read nothing.ndjson"),
        (("watch", "tests"), 4, "needs a terminal"),
    ],
)
def test_invalid_arguments_are_usage_errors(
    project: Path, args: tuple[str, ...], code: int, text: str
) -> None:
    done = command(project, *args)
    assert done.returncode == code
    assert text in done.stderr


def test_an_unknown_setting_is_reported_with_its_file(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.tdd-monitor]\ntreshold = 3\n")
    done = command(project, "run")
    assert done.returncode == 4
    assert "pyproject.toml" in done.stderr and "'treshold'" in done.stderr and "thresholds" in done.stderr


def test_an_empty_suite_is_reported(tmp_path: Path) -> None:
    done = command(write(tmp_path, test_empty=""), "run", "tests")
    assert done.returncode == 5
    assert "no tests ran" in done.stdout


def test_an_interpreter_without_pytest_is_explained(project: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    done = command(project, "run", "tests", "--python", str(bare))
    assert done.returncode == 4
    assert "has no pytest" in done.stdout and "-m pip install pytest" in done.stdout


def test_pytest_finishes_when_the_monitor_is_killed(tmp_path: Path) -> None:
    source = """
import pathlib, time
def test_one():
    pathlib.Path("up").touch()
    for _ in range(12_000):
        if pathlib.Path("killed").exists(): break
        time.sleep(0.01)
    print("x" * 200_000)
def test_two(): pass
def test_three(): pathlib.Path("done").touch()
"""
    project = write(tmp_path, test_it=source)
    monitor = subprocess.Popen(
        [sys.executable, "-m", "tdd_monitor", "run", "tests", "--", "-s", "--junitxml=result.xml"],
        cwd=project,
        stdout=subprocess.DEVNULL,
    )
    _await(project / "up")
    monitor.send_signal(signal.SIGKILL)
    monitor.wait()
    (project / "killed").touch()
    _await(project / "result.xml")
    assert (project / "done").exists()
    assert 'errors="0" failures="0"' in (project / "result.xml").read_text()


@pytest.fixture
def foreground() -> Iterator[None]:
    """Child processes take SIGINT even where this one runs in the background and ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("foreground")
def test_ctrl_c_interrupts_pytest_and_still_reports(tmp_path: Path) -> None:
    source = """
import pathlib, time
def test_one(): pass
def test_two():
    pathlib.Path("up").touch()
    time.sleep(60)
"""
    project = write(tmp_path, test_it=source)
    words = [*PATIENT_MONITOR, "run", "tests", "--", *QUIET]
    monitor = subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, text=True)
    _await(project / "up")
    monitor.send_signal(signal.SIGINT)
    output, _ = monitor.communicate(timeout=60)
    assert monitor.returncode == 2
    assert "1 passed" in output.splitlines()[-1] and "stopped early" in output.splitlines()[-1]


def _await(path: Path, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not path.exists() or (not path.stat().st_size and path.suffix):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)
