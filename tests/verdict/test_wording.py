"""How metrics and alerts read, wherever they are shown."""

import pytest

from tdd_monitor.config import Thresholds
from tdd_monitor.verdict import wording

METRICS = [*Thresholds().items(), "pool_waiting", "leaked_connections"]


def test_every_threshold_has_a_word_and_advice() -> None:
    assert set(METRICS) <= set(wording.WORDS) == set(wording.ADVICE)


@pytest.mark.parametrize(
    ("metric", "number", "text"),
    [
        ("test_duration_ms", 1240, "1.24 s"),
        ("memory_usage_mb", 14.6, "+14.6 MB"),
        ("pool_utilization", 0.8, "80%"),
        ("server_connections", 0.9995, "100%"),
        ("repeated_queries", 60, "60x"),
        ("pool_waiting", 3, "3"),
        ("mine", 0.25, "0.25"),
    ],
)
def test_a_value_has_its_unit(metric: str, number: float, text: str) -> None:
    assert wording.value(metric, number) == text


@pytest.mark.parametrize(
    ("metric", "number", "threshold", "text"),
    [
        ("test_duration_ms", 1240, 100, "12x of 100 ms"),
        ("memory_growth_mb", 15, 10, "1.5x of 10 MB"),
        ("pool_utilization", 0.9, 0.8, "limit 80%"),
        ("repeated_queries", 60, 10, "6.0x of 10x"),
        ("pool_waiting", 3, 0, "at once"),
        ("leaked_connections", 1, 0, "not released"),
        ("mine", 2, 1, "2.0x of 1"),
    ],
)
def test_a_value_is_compared_with_its_threshold(
    metric: str, number: float, threshold: float, text: str
) -> None:
    assert wording.comparison(metric, number, threshold) == text


@pytest.mark.parametrize("metric", METRICS)
def test_no_limit_is_a_bare_number(metric: str) -> None:
    assert not wording.limit(metric, Thresholds().items().get(metric, 0.0)).isdigit()
