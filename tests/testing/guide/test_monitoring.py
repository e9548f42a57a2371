"""The performance monitor, the regression detector and the gate: plain dicts with the public names."""

import json
import re
from pathlib import Path

import pytest

from tdd_monitor.testing import PerformanceGate, PerformanceMonitor, RegressionDetector

from .conftest import Run


def test_recorded_values_stay_readable() -> None:
    monitor = PerformanceMonitor()
    monitor.record_metric("rows", 3)
    monitor.record_metric("rows", 4.5, {"table": "users"})
    monitor.record_metric(name="rows", value=5, metadata=None)
    entries = monitor.metrics["rows"]
    assert [each["value"] for each in entries] == [3, 4.5, 5]
    assert [each["metadata"] for each in entries] == [{}, {"table": "users"}, {}]
    assert entries[0]["timestamp"] <= entries[1]["timestamp"]
    assert monitor.alerts == []
    assert json.dumps(monitor.metrics)


@pytest.mark.parametrize(
    ("metric", "threshold"), [("test_duration_ms", 100), ("fixture_setup_ms", 5), ("memory_usage_mb", 10)]
)
def test_a_value_above_its_threshold_is_an_alert(metric: str, threshold: float) -> None:
    monitor = PerformanceMonitor()
    assert monitor.thresholds[metric] == threshold
    for value in (threshold, 1.5 * threshold, 1.6 * threshold):
        monitor.record_metric(metric, value)
    stamps = [entry["timestamp"] for entry in monitor.metrics[metric][1:]]
    expected = {"metric": metric, "threshold": threshold}
    assert monitor.alerts == [
        {**expected, "value": 1.5 * threshold, "timestamp": stamps[0], "severity": "warning"},
        {**expected, "value": 1.6 * threshold, "timestamp": stamps[1], "severity": "critical"},
    ]


def test_thresholds_may_be_changed() -> None:
    monitor = PerformanceMonitor()
    monitor.thresholds["rows"] = 0.5
    monitor.record_metric("rows", 1)
    assert [alert["metric"] for alert in monitor.alerts] == ["rows"]
    assert monitor.get_performance_summary()["rows"]["violations"] == 1
    monitor.thresholds = {"rows": 0}  # switched off
    monitor.record_metric("rows", 2)
    assert len(monitor.alerts) == 1
    assert monitor.get_performance_summary()["rows"]["violations"] == 0


def test_the_summary_of_each_metric() -> None:
    monitor = PerformanceMonitor()
    for value in (2, 4, 12):
        monitor.record_metric("fixture_setup_ms", value)
    monitor.record_metric("rows", 7)
    monitor.metrics["nothing"] = []
    assert monitor.get_performance_summary() == {
        "fixture_setup_ms": {
            "count": 3,
            "mean": 6,
            "median": 4,
            "min": 2,
            "max": 12,
            "threshold": 5,
            "violations": 1,
        },
        "rows": {
            "count": 1,
            "mean": 7,
            "median": 7,
            "min": 7,
            "max": 7,
            "threshold": None,
            "violations": 0,
        },
    }


def test_the_fixture_measures_its_test_and_warns_of_alerts(run_pytest: Run) -> None:
    module = """
import pytest

@pytest.fixture
def limits(performance_monitor):
    performance_monitor.thresholds["test_duration_ms"] = 1e-6
    yield performance_monitor

def test_within(performance_monitor): performance_monitor.thresholds["test_duration_ms"] = 1e9
def test_slow(limits): limits.record_metric("fixture_setup_ms", 6)
"""
    result = run_pytest(test_it=module)
    assert "2 passed, 2 warnings" in result.stdout, result.stdout
    told = r"PerformanceWarning: test_it.py::test_slow: fixture_setup_ms is 6.00, .* of 5 \(warning\)"
    assert re.search(told, result.stdout), result.stdout
    assert re.search(r"test_slow: test_duration_ms is \d+\.\d\d, .* of 1e-06 \(critical\)", result.stdout)


CHECK = {
    "regression_detected",
    "baseline_value",
    "current_value",
    "threshold_value",
    "degradation_factor",
    "improvement",
    "reason",
}


def test_a_check_has_all_its_fields_from_the_first(tmp_path: Path) -> None:
    detector = RegressionDetector(str(tmp_path / "baseline.json"))
    assert (detector.baseline_file, detector.baseline_data) == (tmp_path / "baseline.json", {})
    assert detector.regression_threshold == 1.2
    first = detector.check_regression("query_ms", 10.0)
    worse = detector.check_regression(metric_name="query_ms", current_value=13.0)
    better = detector.check_regression("query_ms", 8.0)
    for check in (first, worse, better):
        assert set(check) == CHECK and check["reason"]
        assert json.loads(json.dumps(check)) == check
    assert not first["regression_detected"] and not first["improvement"]
    assert first["baseline_value"] == first["current_value"] == 10.0
    assert worse["regression_detected"] and worse["threshold_value"] == 12.0
    assert worse["degradation_factor"] == pytest.approx(1.3)
    assert better["improvement"] and better["baseline_value"] == 10.0
    assert detector.baseline_data == {"query_ms": 8.0}
    assert RegressionDetector(tmp_path / "baseline.json").baseline_data == {"query_ms": 8.0}


def test_the_threshold_of_a_detector_may_be_changed(tmp_path: Path) -> None:
    detector = RegressionDetector(tmp_path / "baseline.json")
    detector.check_regression("query_ms", 10.0)
    detector.regression_threshold = 2.0
    assert not detector.check_regression("query_ms", 20.0)["regression_detected"]
    assert detector.check_regression("query_ms", 20.1)["regression_detected"]


def test_the_baseline_may_be_changed_by_hand(tmp_path: Path) -> None:
    detector = RegressionDetector(tmp_path / "baseline.json")
    detector.baseline_data = {"query_ms": 100.0, "import_ms": 5.0}
    assert detector.check_regression("query_ms", 110.0)["baseline_value"] == 100.0
    other = RegressionDetector(tmp_path / "baseline.json")
    assert other.baseline_data == {"query_ms": 100.0, "import_ms": 5.0}
    other.check_regression("query_ms", 90.0)
    del detector.baseline_data["import_ms"]
    assert detector.check_regression("query_ms", 95.0)["baseline_value"] == 90.0  # as the other left it
    assert detector.check_regression("import_ms", 50.0)["baseline_value"] == 50.0


def test_a_baseline_of_zero_gives_a_finite_factor(tmp_path: Path) -> None:
    detector = RegressionDetector(tmp_path / "baseline.json")
    detector.check_regression("queries", 0)
    check = detector.check_regression("queries", 3)
    assert check["regression_detected"] and check["degradation_factor"] == 1.0
    assert check["reason"] == "queries: 3 is more than the baseline of 0"


def test_the_fixture_is_a_detector(regression_detector: RegressionDetector, tmp_path: Path) -> None:
    assert regression_detector.baseline_file.name == "tdd_performance_baseline.json"
    regression_detector.baseline_file = tmp_path / "elsewhere.json"
    assert not regression_detector.check_regression("query_ms", 1.0)["regression_detected"]


def test_the_gate_says_what_fails_it() -> None:
    gate = PerformanceGate()
    required = {
        "average_test_time_ms": 100,
        "max_test_time_ms": 200,
        "fixture_setup_time_ms": 10,
        "test_suite_time_seconds": 30,
    }
    assert gate.required_metrics == required and gate.measurements == {}
    gate.record_measurement("average_test_time_ms", 100)
    gate.record_measurement("max_test_time_ms", 250.123)
    gate.record_measurement("fixture_setup_time_ms", float("nan"))
    result = gate.evaluate_gate()
    assert result["passed"] is False
    assert result["failures"] == [
        "max_test_time_ms: 250.12 > 200.00 (threshold)",
        "fixture_setup_time_ms: nan > 10.00 (threshold)",
        "Missing measurement: test_suite_time_seconds",
    ]
    assert result["requirements"] == required
    assert result["measurements"] == gate.measurements


def test_the_requirements_of_a_gate_may_be_changed() -> None:
    gate = PerformanceGate()
    gate.required_metrics = {"queries": 5}
    gate.record_measurement(metric="queries", value=5)
    gate.record_measurement("not required", 1e9)
    result = gate.evaluate_gate()
    assert result == {
        "passed": True,
        "failures": [],
        "measurements": {"queries": 5, "not required": 1e9},
        "requirements": {"queries": 5},
    }
    assert json.dumps(result)
