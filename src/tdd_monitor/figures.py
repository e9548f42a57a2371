"""Number formats, the same everywhere: durations, sizes, shares, counts; percentiles and sparklines."""

import math
from collections.abc import Sequence

MB = 1024 * 1024
NS_PER_MS = 1_000_000
LEVELS = " ▁▂▃▄▅▆▇█"

# Upper bound in milliseconds, unit, decimals: always three significant figures.
_STEPS = (
    (9.995, 1, 2, "ms"),
    (99.95, 1, 1, "ms"),
    (999.5, 1, 0, "ms"),
    (9995, 1000, 2, "s"),
    (99950, 1000, 1, "s"),
)


def milliseconds(value: float) -> str:
    """Format a duration in at most 7 cells: 0.42 ms, 12.3 ms, 340 ms, 1.24 s, 75.0 s, 12m 05s."""
    if math.isnan(value):
        return "-"
    for below, per_unit, decimals, unit in _STEPS:
        if value < below:
            return f"{value / per_unit:.{decimals}f} {unit}"
    return clock(value / 1000)


def nanoseconds(value: float) -> str:
    """Format a duration in nanoseconds, like `milliseconds`."""
    return milliseconds(value / NS_PER_MS)


def clock(seconds: float) -> str:
    """Format a longer duration: 8s, 2m 05s, 1h 03m."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def size(value: float, signed: bool = False) -> str:
    """Format bytes as MB (GB from 10,000 MB on), with a sign for differences."""
    megabytes = value / MB
    sign = "+" if signed else ""
    if abs(megabytes) >= 9_999.5:
        return f"{megabytes / 1024:{sign}.1f} GB"
    if abs(megabytes) >= 99.95:
        return f"{megabytes:{sign}.0f} MB"
    return f"{megabytes:{sign}.1f} MB"


def percent(share: float) -> str:
    """Format a share as a percentage: 80%, 5.5%."""
    return f"{share * 100:.3g}%"


def factor(value: float) -> str:
    """Format a factor: 1.4x, 12x."""
    if math.isinf(value):
        return ""
    return f"{value:.1f}x" if value < 9.95 else f"{min(value, 9999):.0f}x"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Format a count with its noun: 1 test, 2 tests, 12,345 tests; `nouns` if the plural is irregular."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """Nearest-rank percentile of values in ascending order; nan when there are none.

    `fraction` is within 0..1. The rank is ceil(fraction * n), as in NIST's e-Handbook 7.2.6.2.
    """
    if not ordered:
        return math.nan
    # 0.07 * 100 is 7.000000000000001 in floating point.
    rank = max(1, math.ceil(fraction * len(ordered) - 1e-9))
    return ordered[min(rank, len(ordered)) - 1]


def sparkline(values: Sequence[float], height: int, low: float, high: float) -> list[str]:
    """One column per value, `height` lines from top to bottom, on the scale `low` to `high`."""
    span = high - low
    steps = []
    for value in values:
        share = (value - low) / span if span > 0 else 0.0
        # At least one step: an empty column would look like a missing reading.
        steps.append(max(1, round(min(1.0, max(0.0, share)) * height * 8)))
    lines = []
    for line in range(height - 1, -1, -1):
        lines.append("".join(LEVELS[min(8, max(0, step - line * 8))] for step in steps))
    return lines
