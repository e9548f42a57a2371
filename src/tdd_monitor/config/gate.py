"""The settings of `[tool.tdd-monitor.gate]`."""

from dataclasses import dataclass

OFF, WARN, FAIL = LEVELS = ("off", "warn", "fail")
PASSED, GATE_FAILED, NOT_MEASURED = 0, 3, 4  # exit codes


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Limits of a whole run, 0 for none, and what happens when a kind of check fails: off, warn or fail."""

    average_test_time_ms: float = 100.0
    max_test_time_ms: float = 200.0
    fixture_setup_time_ms: float = 10.0
    test_suite_time_seconds: float = 30.0
    requirements: str = FAIL  # the limits above
    thresholds: str = WARN
    leaks: str = FAIL
    regressions: str = WARN  # the first runs have nothing to compare with

    def limits(self) -> dict[str, float]:
        """The limits by metric."""
        return {
            "average_test_time_ms": self.average_test_time_ms,
            "max_test_time_ms": self.max_test_time_ms,
            "fixture_setup_time_ms": self.fixture_setup_time_ms,
            "test_suite_time_seconds": self.test_suite_time_seconds,
        }
