"""Statistics of the toolkit's operations, targets met and a recommendation. No I/O.

All times are milliseconds.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import TypedDict

from tdd_monitor import figures

TARGETS_MS: Mapping[str, float] = {
    "individual_test": 100.0,
    "fixture_setup": 5.0,
    "connection_acquire": 5.0,
    "schema_operation": 10.0,
    "test_cleanup": 5.0,
    "parallel_execution": 100.0,
}
DEFAULT_TARGET_MS = 100.0

# The published results of the reference system.
EXPECTED_PERFORMANCE_RESULTS: dict[str, dict[str, float]] = {
    "individual_test": {
        "mean": 65.2,
        "median": 62.1,
        "min": 45.3,
        "max": 89.7,
        "target": 100.0,
        "success_rate": 98.2,
    },
    "fixture_setup": {
        "mean": 3.1,
        "median": 2.9,
        "min": 2.1,
        "max": 4.8,
        "target": 5.0,
        "success_rate": 99.5,
    },
    "connection_acquire": {
        "mean": 2.4,
        "median": 2.2,
        "min": 1.8,
        "max": 3.9,
        "target": 5.0,
        "success_rate": 100.0,
    },
    "schema_operation": {
        "mean": 7.3,
        "median": 6.8,
        "min": 5.2,
        "max": 12.1,
        "target": 10.0,
        "success_rate": 96.8,
    },
    "parallel_execution": {
        "mean": 58.7,
        "parallel_efficiency": 0.89,
        "total_time": 234.5,
        "theoretical_sequential": 587.0,
        "speedup": 2.5,
    },
}

# Lowest overall success rate, in percent, of each recommendation.
RECOMMENDATIONS = (
    (95.0, "Excellent: every test can afford a database."),
    (80.0, "Good: check the operations that miss their target."),
    (60.0, "Moderate: tests will wait for the database; optimize what misses its target."),
    (0.0, "Poor: too slow for TDD. Is the server local, the disk fast, the machine idle?"),
)


class OperationStatistics(TypedDict):
    """Times of one operation, in milliseconds; `success_rate` is the percentage within the target."""

    count: int
    mean: float
    median: float
    min: float
    max: float
    p95: float
    std_dev: float
    target: float
    target_achieved: bool
    success_rate: float


class ReportSummary(TypedDict):
    """All operations together; `overall_success_rate` is the percentage that met their target."""

    operations_tested: int
    targets_met: int
    overall_success_rate: float
    recommendation: str


class PerformanceReport(TypedDict):
    """`targets` in milliseconds, `measurements` by operation, `summary`."""

    targets: dict[str, float]
    measurements: dict[str, OperationStatistics]
    summary: ReportSummary


class ParallelExecution(TypedDict):
    """Times of concurrent tests, in milliseconds.

    `parallel_efficiency` is the sum of the single times divided by the total: the average concurrency.
    """

    individual_times: list[float]
    total_time: float
    average_time: float
    max_time: float
    parallel_efficiency: float


def make_report(
    measurements: Mapping[str, Sequence[float]], targets: Mapping[str, float]
) -> PerformanceReport:
    """Report the operations that have times; a mean up to the target achieves it."""
    by_operation = {
        operation: _statistics(times, targets.get(operation, DEFAULT_TARGET_MS))
        for operation, times in measurements.items()
        if times
    }
    met = sum(each["target_achieved"] for each in by_operation.values())
    success_rate = 100.0 * met / len(by_operation) if by_operation else 0.0
    summary = ReportSummary(
        operations_tested=len(by_operation),
        targets_met=met,
        overall_success_rate=success_rate,
        recommendation=next(text for lowest, text in RECOMMENDATIONS if success_rate >= lowest),
    )
    return PerformanceReport(targets=dict(targets), measurements=by_operation, summary=summary)


def _statistics(times: Sequence[float], target: float) -> OperationStatistics:
    mean = statistics.fmean(times)
    return OperationStatistics(
        count=len(times),
        mean=mean,
        median=statistics.median(times),
        min=min(times),
        max=max(times),
        p95=figures.percentile(sorted(times), 0.95),
        std_dev=statistics.stdev(times) if len(times) > 1 else 0.0,
        target=target,
        target_achieved=mean <= target,
        success_rate=100.0 * sum(each <= target for each in times) / len(times),
    )
