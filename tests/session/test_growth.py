"""Steps and leaks are distinguished, for any number of tests."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdd_monitor.session.growth import MARKS, MIN_TESTS, Growth

MB = 1 << 20
START = 60 * MB


def after(readings: Iterable[float]) -> Growth:
    """Readings in megabytes above the start."""
    growth = Growth(START, START)
    for reading in readings:
        growth.add(START + int(reading * MB))
    return growth


@pytest.mark.parametrize("tests", [MIN_TESTS, 128, 129, 1000, 5003])
def test_a_process_that_grows_with_every_test_keeps_growing(tests: int) -> None:
    growth = after(30 * (n + 1) / tests for n in range(tests))
    assert growth.total_bytes == 30 * MB
    assert 27 * MB < growth.lasting_bytes() <= 30 * MB
    assert len(growth.marks) <= MARKS


SHAPES: dict[str, Callable[[float], float]] = {
    "nothing": lambda at: 0,
    "imports in the first tests": lambda at: min(40, 400 * at),
    "a cache that fills": lambda at: 40 * (1 - 0.5 ** (at * 10)),
    "one late import": lambda at: 40 if at > 0.8 else 0,
    "one test that keeps a lot": lambda at: 40 if at > 0.2 else 0,
    "given back": lambda at: 40 if 0.3 < at < 0.9 else 0,
    "noise": lambda at: 5 * (int(at * 977) % 3),
    "shrinking": lambda at: -40 * at,
}


@pytest.mark.parametrize("tests", [MIN_TESTS, 100, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_growth_that_levels_off_is_not_a_leak(shape: str, tests: int) -> None:
    growth = after(SHAPES[shape](n / tests) for n in range(tests))
    assert growth.lasting_bytes() < 10 * MB


def test_a_step_does_not_hide_a_leak() -> None:
    growth = after(20 * n / 400 + (50 if n > 300 else 0) for n in range(400))
    assert 17 * MB < growth.lasting_bytes() < 21 * MB


def test_a_leak_in_the_second_half_is_detected() -> None:
    assert after(max(0, n - 200) / 10 for n in range(400)).lasting_bytes() > 17 * MB


def test_few_tests_are_not_enough_to_judge() -> None:
    assert after(range(MIN_TESTS - 1)).lasting_bytes() == 0


@given(st.lists(st.integers(-50, 50), max_size=400))
def test_lasting_growth_never_exceeds_total_growth(readings: list[int]) -> None:
    growth = after(readings)
    assert 0 <= growth.lasting_bytes() <= max(0, growth.total_bytes)
    assert growth.tests == len(readings) and len(growth.marks) <= MARKS
