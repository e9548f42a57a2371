"""Samples of one operation and what they say; no I/O."""

import statistics
from dataclasses import dataclass
from typing import Any

from tdd_monitor.session.queries import percentile

TARGETS_MS = {
    "individual_test": 100.0,
    "fixture_setup": 5.0,
    "connection_acquire": 5.0,
    "schema_operation": 10.0,
    "test_cleanup": 5.0,
    "parallel_execution": 100.0,
}

# Means of the reference system's published results; it has none for the clean-up.
PUBLISHED_MS = {
    "individual_test": 65.2,
    "fixture_setup": 3.1,
    "connection_acquire": 2.4,
    "schema_operation": 7.3,
    "parallel_execution": 58.7,
}

# An operation with this ending is the one without it, its tables from a declared schema.
CACHED = "_cached"

# Lowest overall success rate, in percent, of each grade.
GRADES = ((95.0, "excellent"), (80.0, "good"), (60.0, "moderate"), (0.0, "poor"))

ADVICE = {
    "excellent": "Every test can afford a database.",
    "good": "Fast enough; look at the operations that miss their target.",
    "moderate": "Tests will wait for the database: see the operations that miss their target.",
    "poor": "Too slow for TDD: is the server local, the disk fast, the machine idle?",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """Times of one operation, in milliseconds, and of the raw driver doing the same in between.

    For a `..._cached` operation the raw driver creates the tables that stand ready for the toolkit.

    `efficiency` (parallel execution only) is the sum of the single times over the total: how many
    ran at once on average.
    """

    operation: str
    samples_ms: tuple[float, ...]
    floor_ms: tuple[float, ...]
    efficiency: float | None = None

    @property
    def target_ms(self) -> float:
        """Highest acceptable mean."""
        return TARGETS_MS[self.operation.removesuffix(CACHED)]

    @property
    def published_ms(self) -> float | None:
        """The reference system's mean, None where it published none."""
        return PUBLISHED_MS.get(self.operation.removesuffix(CACHED))

    @property
    def ahead(self) -> float | None:
        """How many times the published mean is ours."""
        return None if self.published_ms is None else self.published_ms / self.mean_ms

    @property
    def mean_ms(self) -> float:
        """Arithmetic mean."""
        return statistics.fmean(self.samples_ms)

    @property
    def median_ms(self) -> float:
        """Median."""
        return statistics.median(self.samples_ms)

    @property
    def p95_ms(self) -> float:
        """Nearest-rank 95th percentile."""
        return percentile(sorted(self.samples_ms), 0.95)

    @property
    def floor_median_ms(self) -> float:
        """Median of the raw driver."""
        return statistics.median(self.floor_ms)

    @property
    def target_achieved(self) -> bool:
        """True when the mean is within the target."""
        return self.mean_ms <= self.target_ms

    @property
    def success_rate(self) -> float:
        """Percent of the samples within the target."""
        return 100.0 * sum(ms <= self.target_ms for ms in self.samples_ms) / len(self.samples_ms)

    def as_dict(self) -> dict[str, Any]:
        """The statistics under their public names."""
        deviation = statistics.stdev(self.samples_ms) if len(self.samples_ms) > 1 else 0.0
        values: dict[str, Any] = {
            "count": len(self.samples_ms),
            "mean": self.mean_ms,
            "median": self.median_ms,
            "min": min(self.samples_ms),
            "max": max(self.samples_ms),
            "p95": self.p95_ms,
            "std_dev": deviation,
            "target": self.target_ms,
            "target_achieved": self.target_achieved,
            "success_rate": self.success_rate,
            "floor_median": self.floor_median_ms,
            "floor_ratio": self.median_ms / self.floor_median_ms,
            "published": self.published_ms,
            "ahead": self.ahead,
        }
        if self.efficiency is not None:
            values["parallel_efficiency"] = self.efficiency
        return values


@dataclass(frozen=True, slots=True)
class Report:
    """All measurements of one run. `left_out`: why there are none with a declared schema, if so."""

    measurements: tuple[Measurement, ...]
    left_out: str = ""

    @property
    def targets_met(self) -> int:
        """How many operations are within their target."""
        return sum(each.target_achieved for each in self.measurements)

    @property
    def success_rate(self) -> float:
        """Mean over the operations of the share of samples within the target, in percent."""
        return statistics.fmean(each.success_rate for each in self.measurements)

    @property
    def recommendation(self) -> str:
        """excellent (>= 95), good (>= 80), moderate (>= 60) or poor."""
        return next(grade for lowest, grade in GRADES if self.success_rate >= lowest)

    def as_dict(self) -> dict[str, Any]:
        """`targets`, `measurements` per operation, `summary`; times in milliseconds."""
        return {
            "targets": {each.operation: each.target_ms for each in self.measurements},
            "measurements": {each.operation: each.as_dict() for each in self.measurements},
            "summary": {
                "operations_tested": len(self.measurements),
                "targets_met": self.targets_met,
                "overall_success_rate": self.success_rate,
                "recommendation": self.recommendation,
            },
        }
