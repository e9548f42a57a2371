"""The protocol runs in the user's interpreter: Python 3.9 or later, standard library only."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.coverage import without_coverage

import tdd_monitor

SOURCE = Path(tdd_monitor.__file__).parent

# Loads the package by path, as the plugin does, so that nothing else of this environment can be imported.
LOAD = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "tdd_monitor", {str(SOURCE / "__init__.py")!r}, submodule_search_locations=[{str(SOURCE)!r}]
)
sys.modules["tdd_monitor"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
before = set(sys.modules)
from tdd_monitor.protocol.codec import decode, encode
from tdd_monitor.protocol.events import FinishedTest, Line, Phase
line = Line(1, 2, "gw0", FinishedTest("a.py::t", "passed", 1, phases=(Phase("call", "passed", 3),)))
assert decode(encode(line)) == line
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""


def oldest_python() -> str | None:
    """A working Python 3.9, from pyenv or the PATH."""
    found = [str(python) for python in Path.home().glob(".pyenv/versions/3.9*/bin/python")]
    for python in (*found, shutil.which("python3.9")):
        # A shim may point to a version that is not installed.
        if python and not subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode:
            return python
    return None


def test_the_oldest_python_can_encode_and_decode() -> None:
    python = oldest_python()
    if python is None:
        pytest.skip("no Python 3.9 here")
    subprocess.run([python, "-I", "-S", "-c", LOAD], check=True, timeout=30, capture_output=True)


def test_it_imports_nothing_outside_the_standard_library() -> None:
    run = subprocess.run(
        [sys.executable, "-I", "-c", LOAD],
        env=without_coverage(),
        check=True,
        timeout=30,
        capture_output=True,
        text=True,
    )
    assert set(run.stdout.split()) <= sys.stdlib_module_names | {"tdd_monitor"}
    assert "json" in run.stdout
