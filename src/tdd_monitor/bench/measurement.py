"""Times of the toolkit against the raw driver and the published figures; no I/O."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tdd_monitor.testing.benchmark.report import (
    EXPECTED_PERFORMANCE_RESULTS,
    OperationStatistics,
    PerformanceReport,
    ReportSummary,
)

# Suffix of the operations that use a declared schema.
CACHED = "_cached"


@dataclass(frozen=True, slots=True)
class Measurement:
    """Times of one operation, in milliseconds, and of the raw driver's alternating rounds.

    For a `..._cached` operation the raw driver creates the tables that already exist for the toolkit.

    `efficiency` (parallel execution only) is the sum of the single times divided by the total:
    the average concurrency.
    """

    operation: str
    samples_ms: tuple[float, ...]
    floor_ms: tuple[float, ...]
    statistics: OperationStatistics
    efficiency: float | None = None

    @property
    def published_ms(self) -> float | None:
        """The reference system's mean, None if not published."""
        return EXPECTED_PERFORMANCE_RESULTS.get(self.operation.removesuffix(CACHED), {}).get("mean")

    @property
    def ahead(self) -> float | None:
        """The published mean divided by ours."""
        return None if self.published_ms is None else self.published_ms / self.statistics["mean"]

    def as_dict(self) -> dict[str, Any]:
        """The statistics, and the comparisons, under their public names."""
        floor_median = statistics.median(self.floor_ms)
        values: dict[str, Any] = {
            **self.statistics,
            "floor_median": floor_median,
            "floor_ratio": self.statistics["median"] / floor_median,
            "published": self.published_ms,
            "ahead": self.ahead,
        }
        if self.efficiency is not None:
            values["parallel_efficiency"] = self.efficiency
        return values


@dataclass(frozen=True, slots=True)
class Report:
    """All measurements of one run. `left_out`: why the operations with a declared schema are missing."""

    targets: dict[str, float]
    measurements: tuple[Measurement, ...]
    summary: ReportSummary
    left_out: str = ""

    @property
    def has_missed(self) -> bool:
        """True when an operation missed its target."""
        return self.summary["targets_met"] < self.summary["operations_tested"]

    def as_dict(self) -> dict[str, Any]:
        """`targets`, `measurements` per operation, `summary`; times in milliseconds."""
        return {
            "targets": self.targets,
            "measurements": {each.operation: each.as_dict() for each in self.measurements},
            "summary": self.summary,
        }


def compare(
    report: PerformanceReport,
    times_ms: Mapping[str, Sequence[float]],
    floor_ms: Mapping[str, Sequence[float]],
    efficiency: Mapping[str, float],
    left_out: str = "",
) -> Report:
    """Combine the toolkit's report and times with the raw driver's times of each operation."""
    measurements = tuple(
        Measurement(
            operation,
            tuple(times_ms[operation]),
            tuple(floor_ms[operation]),
            measured,
            efficiency.get(operation),
        )
        for operation, measured in report["measurements"].items()
    )
    return Report(report["targets"], measurements, report["summary"], left_out)
