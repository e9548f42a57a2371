"""Memory growth of a process while it runs tests, and whether it continues.

Imports, caches and a single test that retains a lot cause steps: memory rises, then levels off. With a
leak it keeps rising. Readings after tests, at evenly spaced marks, distinguish the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

MARKS = 128  # beyond this number, every other mark is dropped and their spacing doubled
MIN_TESTS = 20  # fewer are not enough to judge


@dataclass(slots=True)
class Growth:
    """Memory of one process from the start of its first test on, in bytes."""

    before_bytes: int  # at the start of the first test
    latest_bytes: int
    tests: int = 0
    marks: list[int] = field(default_factory=list)  # after every `every`th test
    every: int = 1

    @property
    def total_bytes(self) -> int:
        """The growth since then."""
        return self.latest_bytes - self.before_bytes

    def add(self, rss_bytes: int) -> None:
        """Add a test, after which the process held `rss_bytes`."""
        self.latest_bytes = rss_bytes
        self.tests += 1
        if self.tests % self.every == 0:
            self.marks.append(rss_bytes)
            if len(self.marks) > MARKS:
                del self.marks[::2]
                self.every *= 2

    def lasting_bytes(self) -> int:
        """The lasting growth without its largest step; 0 when it has levelled off.

        It has if less than a quarter of that came in the second half of its tests.
        """
        if self.tests < MIN_TESTS:
            return 0
        # Growth back to the starting value does not count.
        readings = [max(reading, self.before_bytes) for reading in (*self.marks, self.latest_bytes)]
        steps = _steps([self.before_bytes, *readings])
        steps[steps.index(max(steps))] = 0
        total = sum(steps)
        return total if sum(steps[len(steps) // 2 :]) * 4 >= total else 0


def _steps(readings: Sequence[int]) -> list[int]:
    """Return the growth between readings of memory that is never released afterwards."""
    kept = list(accumulate(reversed(readings), min))[::-1]
    return [later - earlier for earlier, later in pairwise(kept)]
