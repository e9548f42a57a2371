"""Whatever standard output is, as much of the summary as possible is printed and the JSON is written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.projects import write

SOURCE = "def test_fails():\n    print('äöü ✓ \\U0001f40d')\n    assert 'ä' == 'é'\n"
COMMAND = f"{sys.executable} -m tdd_monitor run tests --json out.json"
ESCAPES = {
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;b3duZWQ=\x07",
    "clear": "\x1b[2J\x1b[H",
    "c1": "\x9b2J",
    "bidi": "\u202egnp.\u202c",
    "bell": "\x07",
}


def shell(project: Path, script: str, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    env = os.environ | variables
    return subprocess.run(
        ["bash", "-c", script], cwd=project, capture_output=True, timeout=60, check=False, env=env
    )


def counts(project: Path) -> dict[str, int]:
    counted: dict[str, int] = json.loads((project / "out.json").read_text())["counts"]
    return counted


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_output_is_printed_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    project = write(tmp_path, test_it=SOURCE)
    done = shell(project, COMMAND, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    text = done.stdout.decode(encoding)
    assert (done.returncode, done.stderr) == (1, b"")
    assert text.splitlines()[-1].startswith("1 failed")
    assert ("✓" if encoding == "utf-8" else "\\u2713") in text
    assert counts(project)["failed"] == 1


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_closed_or_full_standard_output_changes_neither_exit_code_nor_json(
    tmp_path: Path, redirection: str
) -> None:
    project = write(tmp_path, test_it=SOURCE)
    done = shell(project, f"{COMMAND} {redirection}")
    assert (done.returncode, done.stderr) == (1, b"")
    assert counts(project)["failed"] == 1


def test_a_closed_pipe_changes_neither_exit_code_nor_json(tmp_path: Path) -> None:
    # More than a pipe holds, so that writing fails however late the reader goes.
    source = (
        "import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_fails(n): assert 0, 'x' * 8_000\n"
    )
    project = write(tmp_path, test_it=source)
    done = shell(project, f"{COMMAND} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == (b"1\n", b"")
    assert counts(project)["failed"] == 20


def test_no_escape_sequence_reaches_the_terminal(tmp_path: Path) -> None:
    source = f"""
import pytest, sys, warnings
HOSTILE = {ESCAPES!r}
@pytest.mark.parametrize("x", HOSTILE.values(), ids=HOSTILE.values())
def test_fails(x):
    print(x)
    warnings.warn(x)
    raise AssertionError(x)
def test_dies(): pytest.exit("".join(HOSTILE.values()))
"""
    project = write(tmp_path, test_it=source)
    for escape in ESCAPES.values():
        name = f"test_{escape.replace('/', '')}.py"
        (project / "tests" / name).write_text("import nothing_of_that_name\n")
    done = shell(project, f"{COMMAND} -- -rA --continue-on-collection-errors", COLUMNS="5000")
    text = done.stdout.decode()
    assert text.count("\nFAILED tests/test_it.py::test_fails[") >= len(ESCAPES)
    assert text.count("ERROR collecting tests/test_") >= len(ESCAPES)
    printed = [line for line in text.split("\n") if not line.isprintable()]
    assert printed == []
