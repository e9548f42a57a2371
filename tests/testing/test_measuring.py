"""Memory and the simple regression detector, where more than their shapes counts."""

import mmap
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tdd_monitor.figures import MB
from tdd_monitor.testing import (
    BaselineError,
    MemoryGrowthWarning,
    MemoryOptimizer,
    RegressionDetector,
)
from tdd_monitor.testing.measuring.memory import optimized_memory, warn_of_growth

pytestmark = pytest.mark.usefixtures("quick_collections")


class Node:
    other: object = None


def pages(size_bytes: int) -> mmap.mmap:
    """New resident memory; an object might reuse what an earlier test has freed."""
    found = mmap.mmap(-1, size_bytes)
    for start in range(0, size_bytes, mmap.PAGESIZE):
        found[start] = 1
    return found


def test_optimizing_names_objects_that_are_still_referenced() -> None:
    optimizer, kept = MemoryOptimizer(), Node()
    optimizer.track_object(kept, "kept")
    optimizer.track_object(kept)
    optimizer.track_object(Node(), "released")
    ring = Node()
    ring.other = ring
    optimizer.track_object(ring, "a ring")
    del ring
    relief = optimizer.optimize_memory()
    assert relief["still_alive"] == ["kept", "Node"]
    assert relief["collected"] >= 1 and relief["freed_mb"] >= 0


@pytest.mark.parametrize("watch", [optimized_memory, warn_of_growth])
def test_a_growth_warning_names_objects_still_alive(
    watch: Callable[[str, float], AbstractContextManager[MemoryOptimizer]],
) -> None:
    hoard, told = [], r"test_x left the process [34]\d\.\d MB larger, more than 5 MB. Still alive: the node\."
    with pytest.warns(MemoryGrowthWarning, match=told), watch("test_x", 5) as optimizer:
        hoard += [pages(40 * MB), node := Node()]
        optimizer.track_object(node, "the node")


def test_no_warning_for_a_test_that_frees_its_memory(
    memory_tracker: MemoryOptimizer, memory_optimized_test: MemoryOptimizer
) -> None:
    assert len(bytearray(b"x" * 20 * MB)) == 20 * MB


CHECK_TEN = """
import sys
from pathlib import Path
from tdd_monitor.testing import RegressionDetector
for number in range(10):
    RegressionDetector(Path(sys.argv[1])).check_regression(f"{sys.argv[2]}-{number}", 1)
"""


def test_concurrent_workers_lose_no_measurement(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    workers = [subprocess.Popen([sys.executable, "-c", CHECK_TEN, str(file), name]) for name in "abc"]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert file.read_text().count('": 1') == 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baseline.json", "baseline.json.lock"]


@pytest.mark.parametrize("content", ["[1]", "not json", '{"m": "fast"}'])
def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(content)
    with pytest.raises(BaselineError, match=r"baseline\.json"):
        RegressionDetector(file)
    assert file.read_text() == content


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_an_invalid_duration_is_rejected(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        RegressionDetector(tmp_path / "b.json").check_regression("m", value)
    with pytest.raises(ValueError, match="1 or more"):
        RegressionDetector(regression_threshold=0.9)


def test_the_fixture_keeps_its_file_in_the_root_of_the_project(
    regression_detector: RegressionDetector, pytestconfig: pytest.Config
) -> None:
    assert regression_detector.baseline_file == pytestconfig.rootpath / "tdd_performance_baseline.json"
