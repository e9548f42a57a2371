"""How numbers read, wherever they are shown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdd_monitor import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00 ms"),
        (0.42, "0.42 ms"),
        (9.994, "9.99 ms"),
        (9.996, "10.0 ms"),
        (99.96, "100 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (9_996, "10.0 s"),
        (99_960, "1m 40s"),
        (125_000, "2m 05s"),
        (3_780_000, "1h 03m"),
        (math.nan, "-"),
    ],
)
def test_durations_have_three_figures_and_a_unit(value: float, text: str) -> None:
    assert figures.milliseconds(value) == text


@given(st.floats(0, 3.6e7))
def test_a_duration_takes_seven_cells_at_most(value: float) -> None:
    assert len(figures.milliseconds(value)) <= 7


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [
        (0, False, "0.0 MB"),
        (-(3 << 20), True, "-3.0 MB"),
        (150 << 20, True, "+150 MB"),
        (20 << 30, False, "20.0 GB"),
    ],
)
def test_sizes(value: int, signed: bool, text: str) -> None:
    assert figures.size(value, signed) == text


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.integers(1, 6))
def test_a_sparkline_has_one_column_per_value(values: list[float], height: int) -> None:
    lines = figures.sparkline(values, height, min(values), max(values))
    assert len(lines) == height
    assert all(len(line) == len(values) for line in lines)
    assert " " not in lines[-1]


def test_a_sparkline_reaches_the_top_at_its_highest_value() -> None:
    assert figures.sparkline([0, 8, 16], 2, 0, 16) == ["  █", "▁██"]
