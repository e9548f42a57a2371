"""Whatever standard output is: the summary is printed as well as it can be, the JSON is always there."""

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
def test_any_encoding_of_standard_output_will_do(tmp_path: Path, encoding: str) -> None:
    project = write(tmp_path, test_it=SOURCE)
    done = shell(project, COMMAND, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    text = done.stdout.decode(encoding)
    assert (done.returncode, done.stderr) == (1, b"")
    assert text.splitlines()[-1].startswith("1 failed")
    assert ("✓" if encoding == "utf-8" else "\\u2713") in text
    assert counts(project)["failed"] == 1


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_a_closed_or_full_standard_output_costs_neither_exit_code_nor_json(
    tmp_path: Path, redirection: str
) -> None:
    project = write(tmp_path, test_it=SOURCE)
    done = shell(project, f"{COMMAND} {redirection}")
    assert (done.returncode, done.stderr) == (1, b"")
    assert counts(project)["failed"] == 1


def test_a_reader_that_goes_away_costs_neither_exit_code_nor_json(tmp_path: Path) -> None:
    source = "import pytest\n@pytest.mark.parametrize('n', range(300))\ndef test_fails(n): assert n < 0\n"
    project = write(tmp_path, test_it=source)
    done = shell(project, f"{COMMAND} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == (b"1\n", b"")
    assert counts(project)["failed"] == 300


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES.keys())
def test_nothing_that_a_terminal_would_act_on_is_printed(tmp_path: Path, escape: str) -> None:
    source = f"""
import pytest, sys, warnings
HOSTILE = {escape!r}
@pytest.mark.parametrize("x", [1], ids=[HOSTILE])
def test_fails(x):
    print(HOSTILE)
    warnings.warn(HOSTILE)
    raise AssertionError(HOSTILE)
def test_dies(): pytest.exit(HOSTILE)
"""
    project = write(tmp_path, test_it=source)
    (project / "tests" / f"test_{escape.replace('/', '')}.py").write_text("import nothing_of_that_name\n")
    done = shell(project, f"{COMMAND} -- -rA --continue-on-collection-errors", COLUMNS="5000")
    text = done.stdout.decode()
    assert "FAILED" in text and "ERROR collecting" in text
    assert all(char.isprintable() or char == "\n" for char in text)
