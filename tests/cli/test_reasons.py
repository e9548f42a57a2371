"""`run` says why it ends as it does: whatever pytest and its plugins print at the end is not lost."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from plugin.interpreters import made
from support.projects import write

PASSES = "def test_passes(): pass\n"
COVERED = ("pytest", "pytest-cov", "pytest-randomly", "pytest-xdist")
COVERED_OLDEST = ("pytest==7.4.*", "pytest-cov<5", "pytest-randomly<3.16", "pytest-xdist<3.6")


def run(cwd: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tdd_monitor", "run", "tests", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def last_lines(done: "subprocess.CompletedProcess[str]", count: int = 4) -> str:
    return "\n".join(done.stdout.splitlines()[-count:])


@pytest.mark.parametrize("requirements", [COVERED, COVERED_OLDEST], ids=["newest", "oldest"])
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["single", "xdist"])
def test_coverage_and_seed_are_shown_and_the_limit_is_the_reason(
    tmp_path: Path, requirements: tuple[str, ...], workers: tuple[str, ...]
) -> None:
    interpreter = made("3.11", requirements)
    if not interpreter.python:
        pytest.skip(interpreter.reason)
    project = write(tmp_path, test_it=PASSES)
    (project / "half.py").write_text("def never():\n    return 1\n\n\ndef called():\n    return 2\n")
    (project / "tests" / "test_half.py").write_text("import half\ndef test_half(): assert half.called()\n")
    done = run(
        project,
        *("--python", interpreter.python, "--json", "out.json", "--"),
        *("--cov=half", "--cov-fail-under=90", *workers),
    )
    assert done.returncode == 1
    assert "half.py" in done.stdout and "TOTAL" in done.stdout
    assert "Using --randomly-seed=" in done.stdout
    assert "Required test coverage of 90% not reached" in last_lines(done)
    assert "exit code 1, although no test failed" in last_lines(done)
    assert done.stdout.splitlines()[-1].startswith("2 passed")
    document = json.loads((project / "out.json").read_text())
    assert "Required test coverage of 90% not reached" in document["pytest"]["summary"]
    assert "Using --randomly-seed=" in document["pytest"]["header"]


def test_what_failed_is_not_told_twice(tmp_path: Path) -> None:
    source = "def test_fails(): assert 1 == 2\ndef test_passes(): print('seen by pytest')\n"
    done = run(write(tmp_path, test_it=source), "--", "-rP")
    assert done.stdout.count("assert 1 == 2") == 2  # the source line and what was asserted
    assert done.stdout.count("FAILED tests/test_it.py::test_fails") == 2  # at once, and with its traceback
    assert "= PASSES =" in done.stdout and "seen by pytest" in done.stdout


def test_the_reasons_of_skips_are_shown_where_they_are_asked_for(tmp_path: Path) -> None:
    source = "import pytest\ndef test_skips(): pytest.skip('no such machine')\n"
    project = write(tmp_path, test_it=source)
    assert "SKIPPED [1] tests/test_it.py:2: no such machine" in run(project, "--", "-rs").stdout
    assert "no such machine" not in run(project).stdout


def test_the_message_of_pytest_exit_is_on_the_last_lines(tmp_path: Path) -> None:
    source = "import pytest\ndef test_one(): pass\ndef test_two(): pytest.exit('the licence is over', 9)\n"
    done = run(write(tmp_path, test_it=source))
    assert done.returncode == 9
    assert "the licence is over" in last_lines(done, 1)


def test_an_exit_before_the_session_says_what_it_was(tmp_path: Path) -> None:
    project = write(tmp_path, test_it=PASSES)
    (project / "tests" / "conftest.py").write_text("import pytest\npytest.exit('not on this machine')\n")
    done = run(project)
    assert done.returncode not in (0, 5)
    assert "not on this machine" in last_lines(done)


def test_the_place_that_ctrl_c_hit_is_shown(tmp_path: Path) -> None:
    # By itself: pytest takes seconds of CPU time to describe the place, and the monitor's patience ends.
    source = "import os, signal, time\ndef test_waits():\n    os.kill(os.getpid(), signal.SIGINT)\n"
    done = run(write(tmp_path, test_it=source + "    time.sleep(60)\n"))
    assert done.returncode == 2
    assert re.search(r"tests/test_it.py:[34]: KeyboardInterrupt", done.stdout)
    assert "stopped early: interrupt" in last_lines(done, 1)


def test_the_stack_of_a_crash_is_shown(tmp_path: Path) -> None:
    source = "import faulthandler\ndef deep(n): deep(n - 1) if n else faulthandler._sigsegv()\n"
    source += "def test_crashes(): deep(70)\n"
    done = run(write(tmp_path, test_it=source))
    assert done.returncode == 128 + signal.SIGSEGV
    assert "Segmentation fault" in done.stdout and 'tests/test_it.py", line 2 in deep' in done.stdout
    assert "pytest died (SIGSEGV)" in done.stdout.splitlines()[-1]


def test_the_stack_of_a_timeout_is_shown(tmp_path: Path) -> None:
    source = "import time\ndef test_hangs(): time.sleep(1)\n"
    done = run(write(tmp_path, test_it=source), "--", "-o", "faulthandler_timeout=0.2")
    assert done.returncode == 0
    assert "Timeout (0:00:00.2" in done.stdout and 'tests/test_it.py", line 2 in test_hangs' in done.stdout


def test_warnings_are_shown(tmp_path: Path) -> None:
    source = "import warnings\ndef test_warns(): warnings.warn('this will change')\n"
    done = run(write(tmp_path, test_it=source))
    assert done.returncode == 0
    assert "UserWarning: this will change" in done.stdout


def test_collect_only_lists_what_pytest_lists(tmp_path: Path) -> None:
    done = run(write(tmp_path, test_it=PASSES), "--", "--collect-only", "-q")
    assert done.returncode == 0
    assert "tests/test_it.py::test_passes" in done.stdout.splitlines()
    assert "1 test collected" in done.stdout


@pytest.mark.parametrize(
    ("argument", "code", "text"),
    [("--nonsense", 4, "unrecognized arguments: --nonsense"), ("--markers", 0, "@pytest.mark.parametrize")],
)
def test_without_a_session_everything_that_pytest_said_is_shown(
    tmp_path: Path, argument: str, code: int, text: str
) -> None:
    done = run(write(tmp_path, test_it=PASSES), "--", argument)
    assert done.returncode == code
    assert text in done.stdout


def test_an_exit_code_that_nobody_explains_is_named(tmp_path: Path) -> None:
    project = write(tmp_path, test_it=PASSES)
    (project / "tests" / "conftest.py").write_text(
        "import pytest\n@pytest.hookimpl(trylast=True)\n"
        "def pytest_sessionfinish(session): session.exitstatus = 7\n"
    )
    done = run(project)
    assert done.returncode == 7
    assert "exit code 7, although no test failed" in last_lines(done)


def test_a_failure_after_the_last_test_is_told(tmp_path: Path) -> None:
    project = write(tmp_path, test_it=PASSES)
    (project / "tests" / "conftest.py").write_text(
        "def pytest_sessionfinish(): raise MemoryError('no room')\n"
    )
    done = run(project)
    assert done.returncode == 1
    assert "exit code 1, although no test failed" in last_lines(done)
    assert "MemoryError: no room" in done.stdout


def test_what_fails_behind_the_summary_is_shown(tmp_path: Path) -> None:
    project = write(tmp_path, test_it="import warnings\ndef test_warns(): warnings.warn('w')\n")
    (project / "tests" / "conftest.py").write_text(
        "def pytest_unconfigure(): raise LookupError('lost my keys')\n"
    )
    done = run(project)
    assert done.returncode == 1
    assert "LookupError: lost my keys" in last_lines(done, 6)
    assert done.stdout.count("UserWarning: w") == 1


def test_an_internal_error_is_shown(tmp_path: Path) -> None:
    project = write(tmp_path, test_it=PASSES)
    (project / "tests" / "conftest.py").write_text(
        "def pytest_runtest_logreport(report): raise LookupError('lost my keys')\n"
    )
    done = run(project)
    assert done.returncode == 3
    assert "LookupError: lost my keys" in done.stdout


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("def test_asks():\n    breakpoint()\n", ()),
        ("def test_fails():\n    assert 0\n", ("--pdb",)),
        (PASSES, ("--trace",)),
    ],
    ids=["breakpoint", "--pdb", "--trace"],
)
def test_a_debugger_is_sent_to_a_terminal_of_its_own(
    tmp_path: Path, source: str, arguments: tuple[str, ...]
) -> None:
    done = run(write(tmp_path, test_it=source), "--", *arguments)
    assert "A debugger needs a terminal" in done.stdout and "-m pytest" in done.stdout
    assert "tests/test_it.py::test_" in last_lines(done)


def test_the_end_of_the_session_is_in_the_recording(tmp_path: Path) -> None:
    source = "import warnings\ndef test_warns(): warnings.warn('this will change')\n"
    project = write(tmp_path, test_it=source)
    run(project, "--record", "run.ndjson")
    assert "UserWarning: this will change" in (project / "run.ndjson").read_text()
