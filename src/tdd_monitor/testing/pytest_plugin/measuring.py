"""Fixtures that measure and coordinate; none of them needs a database.

PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tdd_monitor.testing.measuring.memory import MemoryOptimizer
    from tdd_monitor.testing.measuring.parallel import ParallelTestManager
    from tdd_monitor.testing.measuring.performance import PerformanceGate, PerformanceMonitor
    from tdd_monitor.testing.measuring.regression import RegressionDetector

_MARKER = (
    "parallel_resources(*names, wait_s=0): what `parallel_safe_test` must have for itself in all workers,"
    " and for how many seconds it waits for that before the test is skipped"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, for --strict-markers."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(scope="session")
def parallel_test_manager() -> "ParallelTestManager":
    """Coordinates the tests of this run, in all workers. Override it for another `max_concurrent`."""
    from tdd_monitor.testing.measuring.parallel import ParallelTestManager

    return ParallelTestManager()


@pytest.fixture
def parallel_safe_test(
    request: pytest.FixtureRequest, parallel_test_manager: "ParallelTestManager"
) -> Generator[tuple[str, tuple[str, ...]], None, None]:
    """The node id, and the resources of the mark `parallel_resources`, which nobody else has meanwhile."""
    mark = request.node.get_closest_marker("parallel_resources")
    resources = tuple(str(name) for name in mark.args) if mark is not None else ()
    wait_s = float(mark.kwargs.get("wait_s", 0)) if mark is not None else 0.0
    test_id = request.node.nodeid
    if not parallel_test_manager.wait_and_allocate(test_id, resources, wait_s):
        pytest.skip(parallel_test_manager.why_busy(resources) or "its resources were taken a moment ago")
    yield test_id, resources
    parallel_test_manager.release(test_id)


@pytest.fixture
def memory_optimized_test(request: pytest.FixtureRequest) -> "Generator[MemoryOptimizer, None, None]":
    """Frees memory before and after the test; warns when the test has left more than 5 MB behind."""
    from tdd_monitor.testing.measuring.memory import watch_memory

    with watch_memory(request.node.nodeid, 5, optimize=True) as optimizer:
        yield optimizer


@pytest.fixture
def memory_tracker(request: pytest.FixtureRequest) -> "Generator[MemoryOptimizer, None, None]":
    """Warns when the test has left more than 10 MB behind."""
    from tdd_monitor.testing.measuring.memory import watch_memory

    with watch_memory(request.node.nodeid, 10) as optimizer:
        yield optimizer


@pytest.fixture
def performance_monitor() -> "PerformanceMonitor":
    """Collects values of this test and holds them against thresholds."""
    from tdd_monitor.testing.measuring.performance import PerformanceMonitor

    return PerformanceMonitor()


@pytest.fixture(scope="session")
def performance_gate() -> "PerformanceGate":
    """One gate for the run (of each worker)."""
    from tdd_monitor.testing.measuring.performance import PerformanceGate

    return PerformanceGate()


@pytest.fixture
def regression_detector(request: pytest.FixtureRequest) -> "RegressionDetector":
    """Compares with `tdd_performance_baseline.json` in the root directory of the project."""
    from tdd_monitor.testing.measuring.regression import BASELINE_FILE, RegressionDetector

    root: Any = request.config.rootpath
    return RegressionDetector(root / BASELINE_FILE)
