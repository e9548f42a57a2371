"""The receiving side of a connection: from bytes to complete lines, each exactly once.

A sender numbers its lines from 1 and continues counting when it reconnects. A line may arrive twice
(unconfirmed ones are sent again), and lines of an old and a new connection may arrive out of order.
"""

from typing import Iterator, List, Tuple

from .codec import CANCELLED, MAX_LINE_BYTES

_CANCEL = CANCELLED[:-1]


class Splitter:
    """Splits the bytes of one connection into lines, without those that the sender cancelled.

    `oversized` counts lines that were too long; they are skipped.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._skipping = False
        self.oversized = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Return the lines that `data` completes, without their newline."""
        self._rest += data
        if b"\n" not in data:
            if len(self._rest) > MAX_LINE_BYTES:
                # Oversized line: count it once and skip to its end.
                self.oversized += not self._skipping
                self._skipping = True
                self._rest.clear()
            return
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif not line.endswith(_CANCEL):
                yield bytes(line)

    @property
    def pending(self) -> bytes:
        """The beginning of an incomplete line."""
        return bytes(self._rest)


class Numbers:
    """The line numbers received from one sender. Takes memory for gaps only, not for lines."""

    def __init__(self) -> None:
        self._highest = 0
        self._gaps: List[Tuple[int, int]] = []  # first and last number of each

    def accept(self, number: int) -> bool:
        """Return whether the number is new. Numbers below 1 always are: no sender uses them."""
        if number > self._highest:
            if number > self._highest + 1:
                self._gaps.append((self._highest + 1, number - 1))
            self._highest = number
            return True
        for gap in self._gaps:
            first, last = gap
            if first <= number <= last:
                self._gaps.remove(gap)
                parts = ((first, number - 1), (number + 1, last))
                self._gaps += [part for part in parts if part[0] <= part[1]]
                return True
        return number < 1

    @property
    def missing(self) -> int:
        """The count of numbers that were skipped and have not arrived since."""
        return sum([last - first + 1 for first, last in self._gaps])
