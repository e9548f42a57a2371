"""Marks of tests, as far as both processes know them: the thresholds that a mark can set."""

from __future__ import annotations

from typing import Any, FrozenSet, Tuple

from .record import Record

THRESHOLD_MARK = "tdd_threshold"

# Thresholds judged per test, so that a mark or an override may change them for some tests.
PER_TEST: Tuple[str, ...] = (
    "test_duration_ms",
    "fixture_setup_ms",
    "connection_acquire_ms",
    "schema_operation_ms",
    "test_cleanup_ms",
    "memory_usage_mb",
    "repeated_queries",
)
MAX_THRESHOLD = 1e12

# These say how a test runs, not what it is; they are not sent.
PYTEST_MARKS: FrozenSet[str] = frozenset(
    ["filterwarnings", "parametrize", "skip", "skipif", "usefixtures", "xfail", THRESHOLD_MARK]
)


class OwnThreshold(Record):
    """A threshold that a mark sets for a test; `rule` says which mark, as text for the user."""

    metric: str
    value: float = 0.0
    rule: str = ""


_DESCRIPTION = (
    THRESHOLD_MARK + "(test_duration_ms=..., ...): thresholds of tdd-monitor for these tests, 0 for none"
)


def declare(config: Any) -> None:
    """Register the marker with pytest, for --strict-markers; the plugin and the toolkit both do."""
    if _DESCRIPTION not in config.getini("markers"):
        config.addinivalue_line("markers", _DESCRIPTION)
