#!/usr/bin/env python
"""Tests the plugin on Python 3.9 and newer, the toolkit on 3.11 and newer, and oldest and newest libraries.

    .ci/matrix.py [--all] [WORD ...]    # only environments whose names contain one of the words

Runs the tests most sensitive to versions; with --all, every test of the plugin or toolkit, and the whole
suite with coverage. An environment that cannot be created (Python not installed, version not in the package
index) is reported and skipped. Environments are kept between runs.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from plugin import interpreters  # noqa: E402

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEST_EXTRA, DEV_EXTRA = ((f"--editable={ROOT}[{extra}]",) for extra in ("test", "dev"))
LIBRARIES = ("asyncpg", "psutil", "pytest-asyncio", "sqlalchemy", "textual")
OLDEST_PYTEST = "pytest==8.2.0"  # required by the oldest pytest-asyncio; tests/plugin covers 7.4

COVERAGE_DATA = ROOT / ".coverage" / "data"
FIRST_WITH_MONITORING = 12  # Python 3.12 has sys.monitoring, with which coverage costs little

PLUGIN = [
    f"tests/plugin/test_{name}.py"
    for name in (
        "matrix",
        "bootstrap",
        "marks",
        "shared_fixtures",
        "python_memory",
        "shared_databases",
        "databases",
    )
]
TOOLKIT = [
    f"tests/testing/test_{name}.py"
    for name in ("context", "runners", "pools", "sqlalchemy", "sync_context", "changed_libraries")
]
SCREEN = [f"tests/ui/test_{name}.py" for name in ("app", "panels", "styles")]


def oldest() -> tuple[str, ...]:
    """Pin the main libraries to the lower bounds declared in pyproject.toml."""
    declared = chain(PYPROJECT["dependencies"], *PYPROJECT["optional-dependencies"].values())
    found = [re.match(r"([a-z-]+)[^>]*>=([\d.]+)", each) for each in declared]
    bounds = dict(each.groups() for each in found if each)
    return (OLDEST_PYTEST, *(f"{name}=={bounds[name]}" for name in LIBRARIES))


@dataclass(frozen=True)
class Cell:
    """An interpreter with libraries, and the tests to run on it, or (`as_child`) that start suites on it.

    With `coverage`, the tests and all their child processes are measured, and the floor is checked.
    """

    name: str
    python: str
    requirements: tuple[str, ...]
    tests: list[str]
    all_tests: list[str]
    as_child: bool = False
    coverage: bool = False

    def environment(self) -> interpreters.Interpreter:
        """Create it unless it exists; keyed by pyproject.toml, because dependencies may change."""
        return interpreters.made(self.python, self.requirements, "" if self.as_child else repr(PYPROJECT))

    def passes(self, every_test: bool) -> bool:
        """Run the tests; True if they pass or cannot be run here."""
        print(f"\n== {self.name}", flush=True)
        interpreter = self.environment()
        if not interpreter.python:
            print(f"skipped: {interpreter.reason}")
            return True
        python, env = interpreter.python, dict(os.environ)
        if self.as_child:
            python, env["PLUGIN_TEST_PYTHON"] = str(ROOT / ".venv/bin/python"), interpreter.python
        if self.coverage:
            shutil.rmtree(COVERAGE_DATA.parent, ignore_errors=True)
            env |= {"COVERAGE_CORE": "sysmon", "COVERAGE_FILE": str(COVERAGE_DATA)}
            env["COVERAGE_PROCESS_START"] = str(ROOT / "pyproject.toml")
        tests = self.all_tests if every_test else self.tests
        # The tests of the plugin that need other libraries find them in the environment itself.
        marks = ["-m", ""] if self.as_child else []
        passed = _succeeds(python, "pytest", "-q", "-n", "auto", *marks, *tests, env=env)
        return passed and (not self.coverage or _is_covered(python))


def _succeeds(python: str, module: str, *arguments: str, env: dict[str, str] | None = None) -> bool:
    command = [python, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode == 0


def _is_covered(python: str) -> bool:
    """Print the coverage; False below its floor."""
    env = {**os.environ, "COVERAGE_FILE": str(COVERAGE_DATA)}
    return all(_succeeds(python, "coverage", *words, env=env) for words in (["combine", "-q"], ["report"]))


def cells() -> list[Cell]:
    """The plugin on all Pythons but that of the main test run, the toolkit from 3.11.

    On request the newest also runs everything, with coverage, which takes as long as all the rest.
    """
    found = []
    for python in interpreters.pythons():
        minor = _minor(python)
        if minor == 11:
            name, requirements = "toolkit and screen, oldest libraries", (*TEST_EXTRA, *oldest())
            all_tests = ["tests/testing", "tests/ui", "--ignore=tests/ui/test_snapshots.py"]
            found.append(Cell(name, python, requirements, [*TOOLKIT, *SCREEN], all_tests))
            continue
        name = f"plugin, Python {python}"
        found.append(Cell(name, python, interpreters.NEWEST, PLUGIN, ["tests/plugin"], as_child=True))
        if minor > 11:
            found.append(Cell(f"toolkit, Python {python}", python, TEST_EXTRA, TOOLKIT, ["tests/testing"]))
    newest = max(interpreters.pythons(), key=_minor)
    if _minor(newest) >= FIRST_WITH_MONITORING:
        found.append(Cell(f"coverage, Python {newest}", newest, DEV_EXTRA, [], [], coverage=True))
    return found


def _minor(python: str) -> int:
    return int(python.partition(".")[2])


def main() -> str:
    """Return the names of the failed environments, joined; empty if all passed."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--all", action="store_true", help="run every test, and coverage")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only environments whose names contain it")
    options = parser.parse_args()
    words = options.words or [""]
    chosen = [cell for cell in cells() if any(word in cell.name for word in words)]
    chosen = [cell for cell in chosen if not cell.coverage or options.all or options.words]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # pip waits for the network and uses one core
        list(pool.map(Cell.environment, chosen))
    return "; ".join(cell.name for cell in chosen if not cell.passes(options.all))


if __name__ == "__main__":
    sys.exit(f"failed: {failed}" if (failed := main()) else 0)
