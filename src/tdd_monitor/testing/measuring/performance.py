"""Measurements against thresholds, and a gate that a run has to pass. Pure, but for the clock."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tdd_monitor.config.severity import severity as rate_severity
from tdd_monitor.plugin import record_metric as send_metric

THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {"test_duration_ms": 100.0, "fixture_setup_ms": 5.0, "memory_usage_mb": 10.0}
)
REQUIREMENTS: Mapping[str, float] = MappingProxyType(
    {
        "average_test_time_ms": 100.0,
        "max_test_time_ms": 200.0,
        "fixture_setup_time_ms": 10.0,
        "test_suite_time_seconds": 30.0,
    }
)


@dataclass(frozen=True)
class PerformanceAlert:
    """A value above its threshold; `timestamp` in seconds of the monotonic clock."""

    metric: str
    value: float
    threshold: float
    timestamp: float
    severity: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricSummary:
    """All values of one metric, in its own unit; `threshold` is None where it has none."""

    count: int
    mean: float
    median: float
    min: float
    max: float
    threshold: float | None
    violations: int


class PerformanceMonitor:
    """Collects named values; one above its threshold makes an alert. A running monitor sees them too."""

    _now = staticmethod(time.monotonic)

    def __init__(self, thresholds: Mapping[str, float] | None = None) -> None:
        self.thresholds: dict[str, float] = {**THRESHOLDS, **(thresholds or {})}
        self.alerts: list[PerformanceAlert] = []
        self._values: dict[str, list[float]] = {}

    def record_metric(
        self, name: str, value: float, metadata: Mapping[str, Any] | None = None
    ) -> PerformanceAlert | None:
        """Add a value; above its threshold, return an alert: a warning up to 1.5 times, then critical."""
        self._values.setdefault(name, []).append(value)
        send_metric(name, value)
        threshold = self.thresholds.get(name)
        if threshold is None or value <= threshold:
            return None
        severity = rate_severity(value, threshold).value
        alert = PerformanceAlert(name, value, threshold, self._now(), severity, dict(metadata or {}))
        self.alerts.append(alert)
        return alert

    def get_performance_summary(self) -> dict[str, MetricSummary]:
        """Sum up each metric that has values."""
        return {
            name: MetricSummary(
                len(values),
                statistics.fmean(values),
                statistics.median(values),
                min(values),
                max(values),
                self.thresholds.get(name),
                sum(alert.metric == name for alert in self.alerts),
            )
            for name, values in self._values.items()
        }


@dataclass(frozen=True)
class GateResult:
    """Whether the gate was passed, and each reason why not."""

    passed: bool
    failures: tuple[str, ...]
    measurements: Mapping[str, float]
    requirements: Mapping[str, float]


class PerformanceGate:
    """Highest accepted values of a run. What was not measured has not been met."""

    def __init__(self, requirements: Mapping[str, float] | None = None) -> None:
        self.requirements: dict[str, float] = dict(REQUIREMENTS if requirements is None else requirements)
        self._measurements: dict[str, float] = {}

    def record_measurement(self, name: str, value: float) -> None:
        """Note a value; the last one of a name counts. Raises ValueError for a name without a requirement."""
        if name not in self.requirements:
            raise ValueError(f"The gate has no requirement {name!r}, only: {', '.join(self.requirements)}.")
        self._measurements[name] = value

    def evaluate_gate(self) -> GateResult:
        """Compare what was measured with what is required."""
        failures = []
        for name, limit in self.requirements.items():
            value = self._measurements.get(name)
            if value is None:
                failures.append(f"{name} was not measured (required: at most {limit:g})")
            elif not value <= limit:
                failures.append(f"{name} is {value:g}, required: at most {limit:g}")
        return GateResult(not failures, tuple(failures), dict(self._measurements), dict(self.requirements))
