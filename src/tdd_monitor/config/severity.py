"""The severity of a value above its threshold: one rule for the alerts of monitor and toolkit."""

from enum import StrEnum

CRITICAL_FACTOR = 1.5


class Severity(StrEnum):
    """`warning` up to `CRITICAL_FACTOR` times the threshold, `critical` above."""

    WARNING = "warning"
    CRITICAL = "critical"


def severity(value: float, threshold: float) -> Severity:
    """Return the severity of `value`, which is above `threshold`."""
    return Severity.CRITICAL if value > CRITICAL_FACTOR * threshold else Severity.WARNING
