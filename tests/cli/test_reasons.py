"""`run` reports the reason for its exit code, and keeps what pytest and its plugins print at the end."""

import json
import re
import signal
from pathlib import Path

import pytest
from plugin.interpreters import made
from support.commands import Completed, run
from support.projects import write

PASSES = "def test_passes(): pass\n"
COVERED = ("pytest", "pytest-cov", "pytest-randomly", "pytest-xdist")
COVERED_OLDEST = ("pytest==7.4.*", "pytest-cov<5", "pytest-randomly<3.16", "pytest-xdist<3.6")


def last_lines(done: Completed, count: int = 4) -> str:
    return "\n".join(done.stdout.splitlines()[-count:])


@pytest.mark.environments
@pytest.mark.parametrize("requirements", [COVERED, COVERED_OLDEST], ids=["newest", "oldest"])
@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["single", "xdist"])
def test_coverage_and_seed_are_shown_and_missed_coverage_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requirements: tuple[str, ...], workers: tuple[str, ...]
) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
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


def test_failures_are_printed_once_in_full(tmp_path: Path) -> None:
    source = "def test_fails(): assert 1 == 2\ndef test_passes(): print('seen by pytest')\n"
    done = run(write(tmp_path, test_it=source), "--", "-rP")
    assert done.stdout.count("assert 1 == 2") == 2  # the source line and what was asserted
    assert done.stdout.count("FAILED tests/test_it.py::test_fails") == 2  # at once, and with its traceback
    assert "= PASSES =" in done.stdout and "seen by pytest" in done.stdout


ALL_PASS = """
import pytest, time, warnings
def test_skips(): pytest.skip('no such machine')
def test_warns(): warnings.warn('this will change')
def test_hangs(): time.sleep(0.6)
"""


@pytest.fixture(scope="module")
def all_pass(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Completed]:
    project = write(tmp_path_factory.mktemp("project"), test_it=ALL_PASS)
    arguments = ("--record", "run.ndjson", "--", "-rs", "-o", "faulthandler_timeout=0.1")
    return project, run(project, *arguments)


def test_reasons_of_skips_are_shown_on_request(all_pass: tuple[Path, Completed]) -> None:
    _, done = all_pass
    assert done.returncode == 0
    assert "SKIPPED [1] tests/test_it.py:3: no such machine" in done.stdout


def test_warnings_are_shown_and_recorded(all_pass: tuple[Path, Completed]) -> None:
    project, done = all_pass
    assert "UserWarning: this will change" in done.stdout
    assert "UserWarning: this will change" in (project / "run.ndjson").read_text()


def test_the_stack_of_a_timeout_is_shown(all_pass: tuple[Path, Completed]) -> None:
    _, done = all_pass
    assert "Timeout (0:00:00.1" in done.stdout and 'tests/test_it.py", line 5 in test_hangs' in done.stdout


def test_the_message_of_pytest_exit_is_on_the_last_lines(tmp_path: Path) -> None:
    source = "import pytest\ndef test_one(): pytest.skip('no such machine')\n"
    source += "def test_two(): pytest.exit('the licence is over', 9)\n"
    done = run(write(tmp_path, test_it=source))
    assert "no such machine" not in done.stdout  # only on request
    assert done.returncode == 9
    assert "the licence is over" in last_lines(done, 1)


def test_the_message_of_an_exit_before_the_session_is_shown(tmp_path: Path) -> None:
    project = write(tmp_path, test_it=PASSES)
    (project / "tests" / "conftest.py").write_text("import pytest\npytest.exit('not on this machine')\n")
    done = run(project)
    assert done.returncode not in (0, 5)
    assert "not on this machine" in last_lines(done)


def test_the_line_that_ctrl_c_interrupted_is_shown(tmp_path: Path) -> None:
    # By itself: pytest takes seconds of CPU time to describe the place, and the monitor's patience ends.
    source = "import os, signal, time\ndef test_waits():\n    os.kill(os.getpid(), signal.SIGINT)\n"
    source += "    time.sleep(60)\n"
    done = run(write(tmp_path, test_it=source))
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


def test_collect_only_lists_what_pytest_lists(tmp_path: Path) -> None:
    done = run(write(tmp_path, test_it=PASSES), "--", "--collect-only", "-q")
    assert done.returncode == 0
    assert "tests/test_it.py::test_passes" in done.stdout.splitlines()
    assert "1 test collected" in done.stdout


@pytest.mark.parametrize(
    ("argument", "code", "text"),
    [("--nonsense", 4, "unrecognized arguments: --nonsense"), ("--markers", 0, "@pytest.mark.parametrize")],
)
def test_without_a_session_all_output_of_pytest_is_shown(
    tmp_path: Path, argument: str, code: int, text: str
) -> None:
    done = run(write(tmp_path, test_it=PASSES), "--", argument)
    assert done.returncode == code
    assert text in done.stdout


def test_an_unexplained_exit_code_is_reported(tmp_path: Path) -> None:
    project = write(tmp_path, test_it=PASSES)
    (project / "tests" / "conftest.py").write_text(
        "import pytest\n@pytest.hookimpl(trylast=True)\n"
        "def pytest_sessionfinish(session): session.exitstatus = 7\n"
    )
    done = run(project)
    assert done.returncode == 7
    assert "exit code 7, although no test failed" in last_lines(done)


def test_a_failure_after_the_last_test_is_reported(tmp_path: Path) -> None:
    project = write(tmp_path, test_it=PASSES)
    (project / "tests" / "conftest.py").write_text(
        "def pytest_sessionfinish(): raise MemoryError('no room')\n"
    )
    done = run(project)
    assert done.returncode == 1
    assert "exit code 1, although no test failed" in last_lines(done)
    assert "MemoryError: no room" in done.stdout


def test_an_error_after_the_summary_is_shown(tmp_path: Path) -> None:
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
def test_a_debugger_is_refused_with_the_command_to_use(
    tmp_path: Path, source: str, arguments: tuple[str, ...]
) -> None:
    done = run(write(tmp_path, test_it=source), "--", *arguments)
    assert "A debugger needs a terminal" in done.stdout and "-m pytest" in done.stdout
    assert "tests/test_it.py::test_" in last_lines(done)
