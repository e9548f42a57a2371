"""How figures, metrics and alerts read: words, units and number formats, for the screen and the reports.

JSON has the bare numbers under the metrics' own names.
"""

import math

from tdd_monitor.session.metrics import MB, NS_PER_MS

WORDS = {
    "test_duration_ms": "duration",
    "fixture_setup_ms": "fixture set-up",
    "connection_acquire_ms": "connection wait",
    "schema_operation_ms": "schema change",
    "test_cleanup_ms": "clean-up",
    "memory_usage_mb": "memory",
    "memory_growth_mb": "memory growth",
    "pool_utilization": "pool use",
    "pool_waiting": "pool waiting",
    "server_connections": "server full",
    "leaked_connections": "connection leak",
    "repeated_queries": "N+1 query",
}

ADVICE = {
    "test_duration_ms": "Drill in (enter): the waterfall shows which phase or fixture takes the time.",
    "fixture_setup_ms": "Set up for each test: widen its scope or make it cheaper; enter lists its tests.",
    "connection_acquire_ms": "Connections are busy or made anew: a larger or pre-warmed pool helps.",
    "schema_operation_ms": "Create the schema once per session and roll back the rows only.",
    "test_cleanup_ms": "Roll back instead of deleting: end the test's transaction, drop nothing.",
    "memory_usage_mb": "Something outlives the test: an import, a cache, a global, an unclosed resource.",
    "memory_growth_mb": "It grows from test to test: the memory panel (4) lists the tests that add most.",
    "pool_utilization": "The pool is nearly used up: release earlier, or raise its maximum size.",
    "pool_waiting": "Tests wait for a connection: look for one that is held, or raise the maximum size.",
    "server_connections": "Use fewer workers or smaller pools, close what is idle, or raise max_connections.",
    "leaked_connections": "Acquire with 'async with pool.acquire()', so that it is always given back.",
    "repeated_queries": "One query per row (N+1): fetch them together with a JOIN or = ANY($1).",
}

SHARED_FIXTURE_ADVICE = "It is shared already: make its set-up cheaper, or keep its result between runs."
WRITES_ADVICE = "Rows made one by one: executemany, or one INSERT of many rows, saves the round trips."

SHARES = frozenset({"pool_utilization", "server_connections"})
GROWTHS = frozenset({"memory_usage_mb", "memory_growth_mb"})
ANY_IS_TOO_MUCH = {"pool_waiting": "at once", "leaked_connections": "not given back"}

# Below these milliseconds, in this unit, with so many decimals: three figures always.
_STEPS = (
    (9.995, 1, 2, "ms"),
    (99.95, 1, 1, "ms"),
    (999.5, 1, 0, "ms"),
    (9995, 1000, 2, "s"),
    (99950, 1000, 1, "s"),
)


def milliseconds(value: float) -> str:
    """A duration in at most 7 cells: 0.42 ms, 12.3 ms, 340 ms, 1.24 s, 75.0 s, 12m 05s."""
    if math.isnan(value):
        return "-"
    for below, per_unit, decimals, unit in _STEPS:
        if value < below:
            return f"{value / per_unit:.{decimals}f} {unit}"
    return clock(value / 1000)


def nanoseconds(value: float) -> str:
    """A duration given in nanoseconds, as `milliseconds` writes it."""
    return milliseconds(value / NS_PER_MS)


def clock(seconds: float) -> str:
    """A longer time: 8s, 2m 05s, 1h 03m."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def size(value: float, signed: bool = False) -> str:
    """Bytes as MB (GB from 10,000 MB on), with a sign for differences."""
    megabytes = value / MB
    sign = "+" if signed else ""
    if abs(megabytes) >= 9_999.5:
        return f"{megabytes / 1024:{sign}.1f} GB"
    if abs(megabytes) >= 99.95:
        return f"{megabytes:{sign}.0f} MB"
    return f"{megabytes:{sign}.1f} MB"


def percent(share: float) -> str:
    """A share of a whole: 80%, 5.5%."""
    return f"{share * 100:.3g}%"


def factor(value: float) -> str:
    """How many times: 1.4x, 12x."""
    if math.isinf(value):
        return ""
    return f"{value:.1f}x" if value < 9.95 else f"{min(value, 9999):.0f}x"


def plural(count: int, noun: str) -> str:
    """1 test, 2 tests, 12,345 tests."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def word(metric: str) -> str:
    """What a metric is called; one that is not ours keeps its name."""
    return WORDS.get(metric, metric)


def value(metric: str, number: float) -> str:
    """A value of this metric with its unit."""
    if metric in SHARES:
        return percent(number)
    if metric in GROWTHS:
        return size(number * MB, signed=True)
    if metric.endswith("_ms"):
        return milliseconds(number)
    return f"{number:.0f}x" if metric == "repeated_queries" else f"{number:g}"


def limit(metric: str, threshold: float) -> str:
    """A threshold of this metric with its unit; 0 is that any at all is too much: of what."""
    if not threshold:
        return ANY_IS_TOO_MUCH.get(metric, "")
    if metric in SHARES:
        return percent(threshold)
    if metric in GROWTHS:
        return f"{threshold:g} MB"
    if metric.endswith("_ms"):
        return f"{threshold:g} ms"
    return f"{threshold:g}x" if metric == "repeated_queries" else f"{threshold:g}"


def comparison(metric: str, number: float, threshold: float) -> str:
    """How far beyond its threshold a value is: "12x of 100 ms"; a share has its limit: "limit 80%"."""
    allowed = limit(metric, threshold)
    if not threshold:
        return allowed
    return f"limit {allowed}" if metric in SHARES else f"{factor(number / threshold)} of {allowed}"
