"""Fixtures that measure and coordinate; none of them needs a database.

PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""

import uuid
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from tdd_monitor.protocol import marks

if TYPE_CHECKING:
    from tdd_monitor.testing.measuring.memory import MemoryOptimizer
    from tdd_monitor.testing.measuring.parallel import ParallelTestManager
    from tdd_monitor.testing.measuring.performance import PerformanceGate, PerformanceMonitor
    from tdd_monitor.testing.measuring.regression import RegressionDetector

# How long a test waits until fewer than `max_concurrent` others are active.
_TURN_S = 60.0
_MARKER = (
    "parallel_resources(*names, wait_s=0): what `parallel_safe_test` needs exclusively in all workers,"
    " and how many seconds it waits for that before the test is skipped"
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, for --strict-markers."""
    config.addinivalue_line("markers", _MARKER)
    marks.declare(config)


@pytest.fixture(scope="session")
def parallel_test_manager() -> "ParallelTestManager":
    """Coordinates the tests of this run, in all workers. Override it for another `max_concurrent`."""
    from tdd_monitor.testing.measuring.parallel import ParallelTestManager

    return ParallelTestManager()


@pytest.fixture
def parallel_safe_test(
    request: pytest.FixtureRequest, parallel_test_manager: "ParallelTestManager"
) -> Generator[tuple[str, list[str]], None, None]:
    """A test id, and resources that no other test holds: those of the marker `parallel_resources`.

    Without the marker, a new id and two unique table names; the test waits its turn.
    """
    mark = request.node.get_closest_marker("parallel_resources")
    if mark is None:
        test_id = f"parallel_{uuid.uuid4().hex[:8]}"
        resources, wait_s = [f"table_users_{test_id}", f"table_orders_{test_id}"], _TURN_S
    else:
        test_id = request.node.nodeid
        resources, wait_s = [str(name) for name in mark.args], float(mark.kwargs.get("wait_s", 0))
    if not parallel_test_manager.wait_and_allocate(test_id, resources, wait_s):
        pytest.skip(parallel_test_manager.why_busy(resources) or "its resources were in use a moment ago")
    yield test_id, resources
    parallel_test_manager.release(test_id)


@pytest.fixture
def memory_optimized_test(request: pytest.FixtureRequest) -> "Generator[MemoryOptimizer, None, None]":
    """Releases memory before and after the test; warns when the test ends more than 5 MB larger."""
    from tdd_monitor.testing.measuring.memory import optimized_memory

    with optimized_memory(request.node.nodeid, 5) as optimizer:
        yield optimizer


@pytest.fixture
def memory_tracker(request: pytest.FixtureRequest) -> "Generator[MemoryOptimizer, None, None]":
    """Warns when the test ends more than 10 MB larger."""
    from tdd_monitor.testing.measuring.memory import warn_of_growth

    with warn_of_growth(request.node.nodeid, 10) as optimizer:
        yield optimizer


@pytest.fixture
def performance_monitor(request: pytest.FixtureRequest) -> "Generator[PerformanceMonitor, None, None]":
    """Compares values of this test, its duration included, with thresholds; warns of each alert."""
    from tdd_monitor.testing.measuring.performance import PerformanceMonitor

    with PerformanceMonitor.of_test(request.node.nodeid) as monitor:
        yield monitor


@pytest.fixture(scope="session")
def performance_gate() -> "PerformanceGate":
    """One gate for the run, per worker."""
    from tdd_monitor.testing.measuring.performance import PerformanceGate

    return PerformanceGate()


@pytest.fixture
def regression_detector(request: pytest.FixtureRequest) -> "RegressionDetector":
    """Compares with `tdd_performance_baseline.json` in the root directory of the project."""
    from tdd_monitor.testing.measuring.baseline_file import BASELINE_FILE
    from tdd_monitor.testing.measuring.regression import RegressionDetector

    root: Any = request.config.rootpath
    return RegressionDetector(root / BASELINE_FILE)
