"""Measurements against thresholds, and a gate that a run must pass."""

import statistics
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypedDict

from tdd_monitor.config.severity import severity as rate_severity
from tdd_monitor.plugin import record_metric as send_metric


class PerformanceWarning(UserWarning):
    """A test exceeded a threshold of its `performance_monitor`."""


class MetricEntry(TypedDict):
    """One recorded value, in the unit of its metric; `timestamp` in seconds of the monotonic clock."""

    value: float
    timestamp: float
    metadata: dict[str, Any]


class PerformanceAlert(TypedDict):
    """A value above its threshold; `severity` is "warning" up to 1.5 times the threshold, else "critical"."""

    metric: str
    value: float
    threshold: float
    timestamp: float
    severity: str


class MetricSummary(TypedDict):
    """All values of one metric, in its own unit; `threshold` is None if not set."""

    count: int
    mean: float
    median: float
    min: float
    max: float
    threshold: float | None
    violations: int


class PerformanceMonitor:
    """Collects named values and alerts above their thresholds; also sends them to a running tdd-monitor.

    `thresholds` may be changed at any time; 0 disables one.
    """

    _now = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self.metrics: dict[str, list[MetricEntry]] = {}
        self.alerts: list[PerformanceAlert] = []
        self.thresholds: dict[str, float] = {
            "test_duration_ms": 100.0,
            "fixture_setup_ms": 5.0,
            "memory_usage_mb": 10.0,
        }

    def record_metric(self, name: str, value: float, metadata: Mapping[str, Any] | None = None) -> None:
        """Add a value; above its threshold, also append an alert to `alerts`."""
        self._add(name, value, metadata)
        send_metric(name, value)

    def get_performance_summary(self) -> dict[str, MetricSummary]:
        """Summarize each metric that has values."""
        return {
            name: _summary([entry["value"] for entry in entries], self.thresholds.get(name))
            for name, entries in self.metrics.items()
            if entries
        }

    def _add(self, name: str, value: float, metadata: Mapping[str, Any] | None = None) -> None:
        now, threshold = self._now(), self.thresholds.get(name)
        entry = MetricEntry(value=value, timestamp=now, metadata=dict(metadata or {}))
        self.metrics.setdefault(name, []).append(entry)
        if threshold and value > threshold:
            severity = rate_severity(value, threshold).value
            self.alerts.append(
                PerformanceAlert(
                    metric=name, value=value, threshold=threshold, timestamp=now, severity=severity
                )
            )

    @classmethod
    @contextmanager
    def of_test(cls, test_id: str) -> Iterator["PerformanceMonitor"]:
        """Record the duration of the block, in milliseconds, as `test_duration_ms`; warn of each alert."""
        monitor, started_s = cls(), cls._now()
        yield monitor
        # Not sent: a running tdd-monitor measures the duration of the whole test itself.
        monitor._add("test_duration_ms", (cls._now() - started_s) * 1e3)
        for alert in monitor.alerts:
            text = (
                f"{test_id}: {alert['metric']} is {alert['value']:.2f},"
                f" above its threshold of {alert['threshold']:g} ({alert['severity']})."
            )
            warnings.warn(text, PerformanceWarning, stacklevel=3)


def _summary(values: list[float], threshold: float | None) -> MetricSummary:
    return MetricSummary(
        count=len(values),
        mean=statistics.fmean(values),
        median=statistics.median(values),
        min=min(values),
        max=max(values),
        threshold=threshold,
        violations=sum(value > threshold for value in values) if threshold else 0,
    )


class GateResult(TypedDict):
    """Whether the gate passed, and the reasons if not."""

    passed: bool
    failures: list[str]
    measurements: dict[str, float]
    requirements: dict[str, float]


class PerformanceGate:
    """Upper limits for a run: `required_metrics`, which may be changed at any time.

    A required metric without a measurement fails the gate.
    """

    def __init__(self) -> None:
        self.required_metrics: dict[str, float] = {
            "average_test_time_ms": 100.0,
            "max_test_time_ms": 200.0,
            "fixture_setup_time_ms": 10.0,
            "test_suite_time_seconds": 30.0,
        }
        self.measurements: dict[str, float] = {}

    def record_measurement(self, metric: str, value: float) -> None:
        """Set the value of a metric, in the unit of its suffix."""
        self.measurements[metric] = value

    def evaluate_gate(self) -> GateResult:
        """Compare the measurements with the requirements."""
        failures = []
        for metric, limit in self.required_metrics.items():
            value = self.measurements.get(metric)
            if value is None:
                failures.append(f"Missing measurement: {metric}")
            elif not value <= limit:  # nan fails too
                failures.append(f"{metric}: {value:.2f} > {limit:.2f} (threshold)")
        return GateResult(
            passed=not failures,
            failures=failures,
            measurements=dict(self.measurements),
            requirements=dict(self.required_metrics),
        )
