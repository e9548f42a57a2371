"""What a process gains while it runs tests, and whether it goes on gaining.

Imports, caches and one test that keeps a lot are steps: memory rises and then holds. A leak rises all
the time. Both are told from each other by what the process held after its tests, at evenly spaced marks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

MARKS = 128  # after so many every other one is dropped, and from then on half as many are kept
MIN_TESTS = 20  # before so many nothing can be said


@dataclass(slots=True)
class Growth:
    """Memory of one process from the start of its first test on, in bytes."""

    before_bytes: int  # where the first test started
    latest_bytes: int
    tests: int = 0
    marks: list[int] = field(default_factory=list)  # after every `every`th test
    every: int = 1

    @property
    def total_bytes(self) -> int:
        """What it has gained since then."""
        return self.latest_bytes - self.before_bytes

    def add(self, rss_bytes: int) -> None:
        """Take in one more test, which left `rss_bytes`."""
        self.latest_bytes = rss_bytes
        self.tests += 1
        if self.tests % self.every == 0:
            self.marks.append(rss_bytes)
            if len(self.marks) > MARKS:
                del self.marks[::2]
                self.every *= 2

    def lasting_bytes(self) -> int:
        """What it gained and kept, without its largest step; 0 when it has levelled off.

        It has when less than a quarter of that came in the second half of its tests.
        """
        if self.tests < MIN_TESTS:
            return 0
        # What was less at first than at the start has only come back.
        readings = [max(reading, self.before_bytes) for reading in (*self.marks, self.latest_bytes)]
        steps = _steps([self.before_bytes, *readings])
        steps[steps.index(max(steps))] = 0
        total = sum(steps)
        return total if sum(steps[len(steps) // 2 :]) * 4 >= total else 0


def _steps(readings: Sequence[int]) -> list[int]:
    """The gains from reading to reading of what is never given back afterwards."""
    kept = list(accumulate(reversed(readings), min))[::-1]
    return [later - earlier for earlier, later in pairwise(kept)]
