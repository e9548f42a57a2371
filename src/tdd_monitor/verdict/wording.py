"""Labels, units and advice of metrics and alerts, for the screen and the reports.

JSON reports have plain numbers under the metric names.
"""

from tdd_monitor.figures import MB, factor, milliseconds, percent, size

WORDS = {
    "test_duration_ms": "duration",
    "fixture_setup_ms": "fixture setup",
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

# Metrics without a threshold, which are only compared between runs.
COMPARED_WORDS = {"cpu_ms": "CPU time", "ddl": "DDL statements", "pool_peak": "peak pool use"}

ADVICE = {
    "test_duration_ms": "Press enter: the waterfall shows which phase or fixture takes the time.",
    "fixture_setup_ms": "Set up for each test: widen its scope or make it cheaper. enter lists its tests.",
    "connection_acquire_ms": "Connections are busy or opened each time: use a larger or pre-warmed pool.",
    "schema_operation_ms": "Create the schema once per session and roll back only the rows.",
    "test_cleanup_ms": "Roll back the test's transaction instead of deleting rows or dropping tables.",
    "memory_usage_mb": "Something outlives the test: an import, a cache, a global, an unclosed resource.",
    "memory_growth_mb": "Memory grows from test to test: the memory panel (4) lists the tests that add most.",
    "pool_utilization": "The pool is nearly exhausted: release connections earlier or raise its maximum.",
    "pool_waiting": "Tests wait for a connection: find one that is held too long, or raise the maximum size.",
    "server_connections": "Use fewer workers or smaller pools, close idle ones, or raise max_connections.",
    "leaked_connections": "Acquire with 'async with pool.acquire()' so that it is always released.",
    "repeated_queries": "One query per row (N+1): fetch the rows together with a JOIN or = ANY($1).",
}

SHARED_FIXTURE_ADVICE = "It is already shared: make its setup cheaper, or cache its result between runs."
WRITES_ADVICE = "Rows are inserted one by one: use executemany or a multi-row INSERT to save round trips."

SHARES = frozenset({"pool_utilization", "server_connections"})
GROWTHS = frozenset({"memory_usage_mb", "memory_growth_mb"})
ANY_IS_TOO_MUCH = {"pool_waiting": "at once", "leaked_connections": "not released"}


def word(metric: str) -> str:
    """The label of a metric; the user's own metrics keep their names."""
    return WORDS.get(metric) or COMPARED_WORDS.get(metric, metric)


def value(metric: str, number: float) -> str:
    """A value of this metric with its unit."""
    if metric in SHARES:
        return percent(number)
    if metric in GROWTHS:
        return size(number * MB, signed=True)
    if metric.endswith("_ms"):
        return milliseconds(number)
    return f"{number:.0f}x" if metric == "repeated_queries" else f"{number:g}"


def change(metric: str, before: float, after: float) -> str:
    """Two values of this metric: "20.0 ms -> 44.0 ms"."""
    return f"{value(metric, before)} -> {value(metric, after)}"


def limit(metric: str, threshold: float) -> str:
    """A threshold of this metric with its unit; for 0, what must not occur at all."""
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
    """How far a value exceeds its threshold: "12x of 100 ms"; for a share, the limit: "limit 80%"."""
    allowed = limit(metric, threshold)
    if not threshold:
        return allowed
    return f"limit {allowed}" if metric in SHARES else f"{factor(number / threshold)} of {allowed}"
