"""Memory, thresholds, the gate and the simple regression detector."""

import subprocess
import sys
from pathlib import Path

import pytest

from tdd_monitor.testing import (
    BaselineError,
    MemoryGrowthWarning,
    MemoryOptimizer,
    PerformanceGate,
    PerformanceMonitor,
    RegressionDetector,
)
from tdd_monitor.testing.measuring.memory import MEGABYTE, watch_memory


class Node:
    other: object = None


def test_snapshots_are_taken_after_a_collection() -> None:
    optimizer = MemoryOptimizer()
    first, second = Node(), Node()
    first.other, second.other = second, first
    optimizer.track_object(first, "a ring")
    del first, second
    assert list(optimizer.still_alive) == ["a ring"]
    before = optimizer.take_memory_snapshot("before")
    assert not optimizer.still_alive
    after = optimizer.take_memory_snapshot("after")
    assert [snapshot.label for snapshot in optimizer.snapshots] == ["before", "after"]
    assert before.vms_mb >= before.rss_mb > 1
    assert after.timestamp >= before.timestamp


def test_optimizing_names_what_still_lives() -> None:
    optimizer, kept = MemoryOptimizer(), Node()
    optimizer.track_object(kept, "kept")
    relief = optimizer.optimize_memory()
    assert relief.still_alive == ("kept",)
    assert relief.freed_mb >= 0


@pytest.mark.parametrize("optimize", [False, True])
def test_growth_is_warned_of_with_what_still_lives(optimize: bool) -> None:
    hoard, told = [], r"test_x has left the process 2\d\.\d MB larger, more than 5 MB"
    with pytest.warns(MemoryGrowthWarning, match=told), watch_memory("test_x", 5, optimize=optimize):
        hoard.append(bytearray(b"x" * 20 * MEGABYTE))


def test_a_test_that_frees_what_it_took_is_not_warned_of(
    memory_tracker: MemoryOptimizer, memory_optimized_test: MemoryOptimizer
) -> None:
    assert len(bytearray(b"x" * 20 * MEGABYTE)) == 20 * MEGABYTE
    assert memory_tracker.snapshots[0].label == memory_optimized_test.snapshots[0].label == "before"


def test_a_value_above_its_threshold_makes_an_alert(performance_monitor: PerformanceMonitor) -> None:
    assert performance_monitor.record_metric("test_duration_ms", 100) is None
    assert performance_monitor.record_metric("unknown", 1e9) is None
    warning = performance_monitor.record_metric("test_duration_ms", 150, {"test": "x"})
    critical = performance_monitor.record_metric("test_duration_ms", 151)
    assert warning is not None
    assert critical is not None
    assert (warning.severity, critical.severity) == ("warning", "critical")
    assert (warning.metric, warning.value, warning.threshold) == ("test_duration_ms", 150, 100)
    assert warning.metadata == {"test": "x"}
    assert critical.timestamp >= warning.timestamp
    assert performance_monitor.alerts == [warning, critical]


def test_the_summary_of_a_monitor() -> None:
    monitor = PerformanceMonitor({"fixture_setup_ms": 2})
    for value in (1, 2, 6):
        monitor.record_metric("fixture_setup_ms", value)
    summary = monitor.get_performance_summary()["fixture_setup_ms"]
    assert (summary.count, summary.mean, summary.median, summary.min, summary.max) == (3, 3, 2, 1, 6)
    assert (summary.threshold, summary.violations) == (2, 1)


def test_the_gate_fails_what_was_not_measured() -> None:
    gate = PerformanceGate()
    for name, value in (
        ("average_test_time_ms", 99),
        ("max_test_time_ms", 201),
        ("fixture_setup_time_ms", 1),
    ):
        gate.record_measurement(name, value)
    result = gate.evaluate_gate()
    assert not result.passed
    assert result.failures == (
        "max_test_time_ms is 201, required: at most 200",
        "test_suite_time_seconds was not measured (required: at most 30)",
    )
    gate.record_measurement("max_test_time_ms", 200)
    gate.record_measurement("test_suite_time_seconds", 30)
    assert gate.evaluate_gate().passed
    gate.record_measurement("max_test_time_ms", float("nan"))
    assert not gate.evaluate_gate().passed
    with pytest.raises(ValueError, match="no requirement 'max_time'"):
        gate.record_measurement("max_time", 1)


def test_the_best_value_becomes_the_baseline(tmp_path: Path) -> None:
    detector = RegressionDetector(tmp_path / "sub" / "baseline.json")
    first = detector.check_regression("m", 10)
    assert (first.regression_detected, first.improvement, first.baseline_value) == (False, False, 10)
    assert detector.check_regression("m", 8).improvement
    within = detector.check_regression("m", 9.6)
    assert (within.regression_detected, within.baseline_value, within.threshold_value) == (False, 8, 9.6)
    worse = detector.check_regression("m", 12)
    assert worse.regression_detected
    assert worse.degradation_factor == 1.5
    assert worse.reason == "m: 12 is 1.50 times the baseline of 8"
    assert (tmp_path / "sub" / "baseline.json").read_text() == '{\n  "m": 8\n}'


CHECK_TEN = """
import sys
from pathlib import Path
from tdd_monitor.testing import RegressionDetector
for number in range(10):
    RegressionDetector(Path(sys.argv[1])).check_regression(f"{sys.argv[2]}-{number}", 1)
"""


def test_workers_at_once_lose_nothing(tmp_path: Path) -> None:
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
        RegressionDetector(file).check_regression("m", 1)
    assert file.read_text() == content


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_what_is_no_duration_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        RegressionDetector(tmp_path / "b.json").check_regression("m", value)
    with pytest.raises(ValueError, match="1 or more"):
        RegressionDetector(regression_threshold=0.9)


def test_the_fixture_keeps_its_file_in_the_root_of_the_project(
    regression_detector: RegressionDetector, pytestconfig: pytest.Config
) -> None:
    assert regression_detector.baseline_file == pytestconfig.rootpath / "tdd_performance_baseline.json"
