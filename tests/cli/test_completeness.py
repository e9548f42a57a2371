"""Lines lost between a real pytest and the monitor are reported, not just missing from the counts."""

import json
from pathlib import Path

import pytest
from support.commands import run
from support.projects import write

LOSSY = """
import tdd_monitor.plugin.transport as transport

send = transport.SocketTransport.send

def lossy(self, data):
    lines = [{change} if b'"ev":"test",' in line and b"test_b" in line else line
             for line in data.splitlines(keepends=True)]
    send(self, b"".join(lines))
    return len(data)

transport.SocketTransport.send = lossy
"""
SUITE = "def test_a(): pass\ndef test_b(): pass\ndef test_c(): assert {value}\n"
COUNTED = "INCOMPLETE: pytest counted {} passed; the monitor received {}."


@pytest.mark.parametrize(
    ("change", "value", "code", "problem"),
    [
        ("b''", 1, 76, "1 line from pytest never arrived."),
        ("b''", 0, 1, "1 line from pytest never arrived."),  # pytest's own exit code, when it is not 0
        ("line.replace(b'nodeid', b'node')", 1, 76, "1 line from pytest could not be read."),
    ],
    ids=["missing", "missing and red", "malformed"],
)
def test_a_lost_line_makes_the_run_incomplete(
    tmp_path: Path, change: str, value: int, code: int, problem: str
) -> None:
    project = write(tmp_path, conftest=LOSSY.format(change=change), test_it=SUITE.format(value=value))
    done = run(project, "--json", "out.json")
    assert done.returncode == code, done.stdout
    lines = done.stdout.splitlines()
    assert f"INCOMPLETE: {problem}" in lines
    assert COUNTED.format(2 + value, 1 + value) in lines
    assert lines[-1].startswith("incomplete: ")
    document = json.loads((project / "out.json").read_text())
    assert document["exitcode"] == code
    assert problem in document["incomplete"]["problems"]
    assert document["incomplete"]["counts"] == [
        {"outcome": "passed", "pytest": 2 + value, "arrived": 1 + value}
    ]
