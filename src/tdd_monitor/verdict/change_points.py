"""Where a series of measurements changed its level.

The statistic is that of E-divisive (Matteson and James, "A nonparametric approach for multiple change point
analysis of multivariate data", JASA 109, 2014), with which Hunter (Fleming and others, ICPE 2023), now Apache
Otava, judges benchmarks: split where the energy distance between both sides is greatest, test the split by
permutations, repeat with both parts. Distances are those of logarithms where all values are positive, because
the noise of durations grows with them.
"""

import math
import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple

MIN_SEGMENT = 3  # values on each side of a change
PERMUTATIONS = 199  # the smallest p-value is 1/200
SIGNIFICANCE = 0.01


class ChangePoint(NamedTuple):
    """A new level begins with value number `start`; `before` and `after` are the medians of both levels."""

    start: int
    before: float
    after: float
    p_value: float

    @property
    def factor(self) -> float:
        """The new level as a multiple of the old one."""
        return self.after / self.before if self.before else math.inf


def change_points(values: Sequence[float], significance: float = SIGNIFICANCE) -> list[ChangePoint]:
    """The changes of level in `values`, in order. The same values always give the same result."""
    positive = all(value > 0 for value in values)
    series = [math.log(value) for value in values] if positive else list(values)
    splits = sorted(_splits(series, 0, significance, random.Random(len(values))))
    edges = [0, *(index for index, _ in splits), len(values)]
    return [
        ChangePoint(
            index,
            statistics.median(values[edges[number] : index]),
            statistics.median(values[index : edges[number + 2]]),
            p_value,
        )
        for number, (index, p_value) in enumerate(splits)
    ]


def _splits(
    series: Sequence[float], offset: int, significance: float, chance: random.Random
) -> list[tuple[int, float]]:
    if len(series) < 2 * MIN_SEGMENT:
        return []
    index, strength = _best_split(series)
    p_value = _p_value(series, strength, significance, chance)
    if p_value > significance:
        return []
    left = _splits(series[:index], offset, significance, chance)
    right = _splits(series[index:], offset + index, significance, chance)
    return [*left, (offset + index, p_value), *right]


def _p_value(series: Sequence[float], strength: float, significance: float, chance: random.Random) -> float:
    """Share of the permutations that split at least as well; stops once it is clearly not significant."""
    as_good, shuffled = 1, list(series)
    allowed = significance * (PERMUTATIONS + 1)
    for _ in range(PERMUTATIONS):
        chance.shuffle(shuffled)
        as_good += _best_split(shuffled)[1] >= strength
        if as_good > allowed:
            break
    return as_good / (PERMUTATIONS + 1)


def _best_split(series: Sequence[float]) -> tuple[int, float]:
    """The first index of the right side, and the scaled energy distance of both sides, at its greatest.

    Moving one value from the right side to the left one changes three sums by its distances to both.
    """
    total = len(series)
    within_left, between = 0.0, 0.0
    within_right = sum(abs(a - b) for i, a in enumerate(series) for b in series[:i])
    best, strength = MIN_SEGMENT, -math.inf
    for size in range(1, total - MIN_SEGMENT + 1):
        moved = series[size - 1]
        to_left = sum([abs(moved - other) for other in series[: size - 1]])
        to_right = sum([abs(moved - other) for other in series[size:]])
        within_left += to_left
        within_right -= to_right
        between += to_right - to_left
        if size < MIN_SEGMENT:
            continue
        rest = total - size
        distance = (
            2 * between / (size * rest)
            - 2 * within_left / (size * (size - 1))
            - 2 * within_right / (rest * (rest - 1))
        )
        if distance * size * rest / total > strength:
            best, strength = size, distance * size * rest / total
    return best, strength
