"""What importing a package loads, each in a fresh process."""

import json
import subprocess
import sys

import pytest

PROBE = """
import importlib, json, pkgutil, sys
{before}
known = set(sys.modules)
for package in {packages!r}:
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__ if {walk} else [], package + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
print(json.dumps(sorted(set(sys.modules) - known)))
"""


def imported(*packages: str, before: str = "", walk: bool = True) -> set[str]:
    """Modules that are loaded with these packages and all their modules."""
    code = PROBE.format(packages=packages, before=before, walk=walk)
    run = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    return set(json.loads(run.stdout))


def tops(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_packages_in_the_users_pytest_need_only_pytest() -> None:
    modules = imported("tdd_monitor.plugin", "tdd_monitor.protocol", before="import pytest")
    assert tops(modules) - sys.stdlib_module_names == {"tdd_monitor"}
    rooms = {name.split(".")[1] for name in modules if name.startswith("tdd_monitor.")}
    assert rooms == {"plugin", "protocol"}


@pytest.mark.parametrize("package", ["session", "verdict", "config", "history.recording", "history.project"])
def test_the_state_imports_neither_screen_nor_loop(package: str) -> None:
    modules = imported(f"tdd_monitor.{package}", walk="." not in package)
    assert not modules & {"asyncio", "textual", "pytest", "asyncpg", "click", "rich"}
    assert tops(modules) - sys.stdlib_module_names == {"tdd_monitor"}


def test_commands_start_without_screen_and_database_driver() -> None:
    modules = imported("tdd_monitor.cli")
    assert "tdd_monitor.cli.watch" in modules
    assert not tops(modules) & {"textual", "asyncpg", "sqlalchemy", "psycopg"}


def test_a_command_is_imported_when_it_is_called() -> None:
    modules = imported("tdd_monitor.cli", walk=False)
    assert {name for name in modules if name.startswith("tdd_monitor")} == {"tdd_monitor", "tdd_monitor.cli"}
    assert not tops(modules) & {"asyncio", "rich"}
