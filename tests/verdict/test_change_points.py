"""Changes of level are found where they are, and not where there is only noise."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdd_monitor.verdict.change_points import MIN_SEGMENT, change_points


def noisy(levels: list[tuple[float, int]], seed: int = 1, spread: float = 0.15) -> list[float]:
    """Values around each level: `(level, how many)`."""
    chance = random.Random(seed)
    return [level * chance.lognormvariate(0, spread) for level, count in levels for _ in range(count)]


@pytest.mark.parametrize("at", [5, 12, 30])
def test_a_doubling_is_found_at_its_first_value(at: int) -> None:
    (change,) = change_points(noisy([(20, at), (40, 40 - at)]))
    assert abs(change.start - at) <= 1
    assert 1.7 < change.factor < 2.4
    assert change.p_value <= 0.01


def test_several_changes_are_found_in_order() -> None:
    found = change_points(noisy([(20, 20), (60, 20), (30, 20)], spread=0.08))
    assert [change.start for change in found] == [20, 40]
    assert [round(change.factor, 1) for change in found] == [
        pytest.approx(3, abs=0.3),
        pytest.approx(0.5, abs=0.1),
    ]


def test_noise_has_no_changes() -> None:
    found = [change_points(noisy([(20, 40)], seed)) for seed in range(100)]
    assert sum(bool(changes) for changes in found) <= 4  # 1 expected at a significance of 0.01


def test_single_outliers_are_no_change() -> None:
    values = noisy([(20, 40)], spread=0.05)
    values[13] = values[27] = 400
    assert change_points(values) == []


def test_exact_counts_change_with_the_first_different_value() -> None:
    (change,) = change_points([7.0] * 10 + [8.0] * 5)
    assert (change.start, change.before, change.after) == (10, 7.0, 8.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), max_size=30))
def test_any_series_is_split_into_segments_of_the_least_length(values: list[float]) -> None:
    found = change_points(values)
    edges = [0, *(change.start for change in found), len(values)]
    assert not found or min(b - a for a, b in pairwise(edges)) >= MIN_SEGMENT
    assert change_points(values) == found
