"""Selects the pools that each sample reports: some of the open ones, and each closed one once.

A suite may create thousands. Then most are only counted, closed ones with the same name are reported
together, and the cost of a sample does not depend on their number.
"""

from collections import deque
from typing import TYPE_CHECKING, Deque, Dict, List, Tuple

from tdd_monitor.protocol.events import PoolSample

if TYPE_CHECKING:
    from tdd_monitor.plugin.observe.tally import Tally

MAX_SHOWN = 50
MAX_NAMES = 20
OTHERS = "other pools"  # closed ones beyond MAX_NAMES
_CHECKS_PER_SAMPLE = 500  # hidden pools that a sample checks for having been closed


class OpenPools:
    """Pools from first use to close. The caller holds the registry's lock."""

    def __init__(self) -> None:
        self._shown: "List[Tally]" = []
        self._hidden: "Deque[Tally]" = deque()
        self._closed: List[PoolSample] = []
        self._totals: Dict[Tuple[str, str], PoolSample] = {}

    def __bool__(self) -> bool:
        return bool(self._shown or self._closed or self._totals)

    def add(self, tally: "Tally") -> None:
        """Add a pool on its first use."""
        if len(self._shown) < MAX_SHOWN:
            self._shown.append(tally)
        else:
            self._hidden.append(tally)

    def sample(self, check_all: bool = False) -> Tuple[Tuple[PoolSample, ...], int]:
        """Return the pools to report, and how many more are open."""
        samples = []
        for tally in list(self._shown):
            sample = tally.sample()
            if sample is None:
                self._shown.remove(tally)
                self._closed.append(tally.closed_sample())
            else:
                samples.append(sample)
        self._check_hidden(len(self._hidden) if check_all else _CHECKS_PER_SAMPLE)
        while len(self._closed) > MAX_SHOWN:
            self._add_to_totals(self._closed.pop(0))
        return (*samples, *self._closed, *self._totals.values()), len(self._hidden)

    def _check_hidden(self, how_many: int) -> None:
        """Record the hidden pools that were closed, and show others where there is space."""
        for _ in range(min(how_many, len(self._hidden))):
            tally = self._hidden.popleft()
            if tally.sample() is None:
                self._add_to_totals(tally.closed_sample())
            else:
                self.add(tally)

    def _add_to_totals(self, closed: PoolSample) -> None:
        key = (closed.engine, closed.name)
        if key not in self._totals and len(self._totals) >= MAX_NAMES:
            key = ("", OTHERS)
        known = self._totals.get(key)
        if known is None:
            self._totals[key] = closed._replace(engine=key[0], name=key[1], id=0)
            return
        # A peak and its pool's size stay together; otherwise a total could claim "4 of 3".
        fullest = max(known, closed, key=fullness)
        self._totals[key] = known._replace(
            pools=known.pools + closed.pools,
            peak=fullest.peak,
            max_size=fullest.max_size,
            peak_waiting=max(known.peak_waiting, closed.peak_waiting),
        )

    def mark_reported(self) -> None:
        """Forget the closed pools of the last `sample`, which has been sent."""
        self._closed.clear()
        self._totals.clear()


def fullness(sample: PoolSample) -> Tuple[float, int]:
    """Sort key: the peak as a share of the maximum size, then the peak itself."""
    return (sample.peak / sample.max_size if sample.max_size else 0.0, sample.peak)
