from hypothesis import given
from hypothesis import strategies as st

from tdd_monitor.ui.text import charts
from tdd_monitor.ui.text.parts import width_of


@given(st.floats(-1, 3), st.integers(1, 80))
def test_a_bar_has_its_width_and_is_empty_only_at_zero(fraction: float, width: int) -> None:
    parts = charts.bar(fraction, width, "good")
    assert width_of(parts) == width
    assert bool(parts[0][0]) == (fraction > 0)


def test_a_bar_shows_halves() -> None:
    assert charts.bar(0.25, 10, "good")[0][0] == "━━╸"
    assert charts.bar(1.0, 4, "good")[0][0] == "━━━━"


def test_an_interval_without_a_reading_repeats_the_previous_value() -> None:
    assert charts.resample([(0, 1.0), (50, 5.0)], 10, 100) == [1, 1, 1, 1, 1, 5, 5, 5, 5, 5]


def test_an_interval_shows_its_maximum() -> None:
    assert charts.resample([(0, 1.0), (1, 9.0), (2, 2.0), (99, 3.0)], 2, 100) == [9.0, 3.0]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=13), st.integers(1, 8))
def test_every_count_is_visible_in_the_histogram(counts: list[int], height: int) -> None:
    lines = charts.columns(counts, height)
    assert len(lines) == height
    for column, count in enumerate(counts):
        assert (lines[-1][column] == " ") == (count == 0)


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(1, 100))
def test_a_span_is_within_its_axis_and_never_invisible(
    start: int, length: int, total: int, width: int
) -> None:
    parts = charts.span(start, length, total, width, "call")
    assert width_of(parts) == width
    assert total <= 0 or any("━" in text for text, _role in parts)


@given(st.text("0123456789 ms", max_size=8), st.integers(0, 60))
def test_the_axis_has_its_width(label: str, width: int) -> None:
    assert len(charts.axis(label, width)) == width
