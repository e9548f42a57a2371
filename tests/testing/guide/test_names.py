"""What `tdd_monitor.testing` offers, to programs and to people."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import tdd_monitor.testing

GUIDE = {
    "COMMON_SCHEMA_TEMPLATES",
    "EXPECTED_PERFORMANCE_RESULTS",
    "MemoryOptimizer",
    "OPTIMIZED_POOL_CONFIG",
    "ParallelTestManager",
    "PerformanceGate",
    "PerformanceMonitor",
    "RegressionDetector",
    "SchemaCache",
    "TDDPerformanceBenchmark",
    "TDDTestContext",
    "get_database_manager",
    "run_comprehensive_benchmark",
    "tdd_test_context",
    "validate_performance_gate",
}


def _for_type_checkers() -> Iterator[tuple[str, str]]:
    tree = ast.parse(inspect.getsource(tdd_monitor.testing))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        for alias in statement.names:
            assert alias.asname == alias.name
            yield str(statement.module), alias.name


def test_type_checkers_and_the_interpreter_find_the_same_names() -> None:
    table = [(module, name) for module, names in tdd_monitor.testing._NAMES.items() for name in names]
    assert sorted(table) == sorted(_for_type_checkers())


def test_all_names_are_listed_and_can_be_imported() -> None:
    package: Any = tdd_monitor.testing
    listed = dir(package)
    assert set(listed) >= GUIDE
    assert listed == package.__all__
    for name in listed:
        thing = getattr(tdd_monitor.testing, name)
        assert thing.__doc__, name


NEEDED = """
import sys
import tdd_monitor.testing
loaded = {name for name in sys.modules if name.startswith("tdd_monitor.testing.")}
assert not loaded, loaded
%s
"""


def _run(code: str) -> str:
    command = [sys.executable, "-c", NEEDED % code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_help_and_completion_know_the_names() -> None:
    shown = _run("help(tdd_monitor.testing)")
    assert all(name in shown for name in GUIDE)
    completed = _run(
        "import rlcompleter; print(rlcompleter.Completer(globals()).attr_matches('tdd_monitor.testing.run_'))"
    )
    assert "tdd_monitor.testing.run_comprehensive_benchmark" in completed


def test_names_whose_package_is_missing_are_not_listed() -> None:
    code = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name in ("sqlalchemy", "psycopg") else real(name, package)
)
sys.modules["sqlalchemy"] = sys.modules["psycopg"] = None  # as if not installed
assert not {"tdd_engine", "tdd_sync_context"} & set(dir(tdd_monitor.testing))
from tdd_monitor.testing import *
help(tdd_monitor.testing)
"""
    assert "TDDPerformanceBenchmark" in _run(code)
