"""Which pools each sample reports: some of the open ones, and each closed one, once.

A suite may create thousands. Then most are only counted, closed ones of one name are reported together,
and a sample takes the same time however many there are.
"""

from collections import deque
from typing import TYPE_CHECKING, Deque, Dict, List, Tuple

from tdd_monitor.protocol.events import PoolSample

if TYPE_CHECKING:
    from tdd_monitor.plugin.observe.tally import Tally

MAX_SHOWN = 50
MAX_NAMES = 20
OTHERS = "other pools"  # closed ones beyond MAX_NAMES
_A_LOOK = 500  # pools that are not shown: how many a look asks whether they are closed


class OpenPools:
    """Pools from their first use to their end. Whoever calls holds the registry's lock."""

    def __init__(self) -> None:
        self._shown: "List[Tally]" = []
        self._hidden: "Deque[Tally]" = deque()
        self._closed: List[PoolSample] = []
        self._totals: Dict[Tuple[str, str], PoolSample] = {}

    def __bool__(self) -> bool:
        return bool(self._shown or self._closed or self._totals)

    def add(self, tally: "Tally") -> None:
        """A pool is used for the first time."""
        if len(self._shown) < MAX_SHOWN:
            self._shown.append(tally)
        else:
            self._hidden.append(tally)

    def look(self, all_of_them: bool = False) -> Tuple[Tuple[PoolSample, ...], int]:
        """The pools to report, and how many more are open."""
        samples = []
        for tally in list(self._shown):
            sample = tally.sample()
            if sample is None:
                self._shown.remove(tally)
                self._closed.append(tally.closing())
            else:
                samples.append(sample)
        self._sort_out(len(self._hidden) if all_of_them else _A_LOOK)
        while len(self._closed) > MAX_SHOWN:
            self._add_up(self._closed.pop(0))
        return (*samples, *self._closed, *self._totals.values()), len(self._hidden)

    def _sort_out(self, how_many: int) -> None:
        """Notice which hidden pools are closed, and show others where there is room now."""
        for _ in range(min(how_many, len(self._hidden))):
            tally = self._hidden.popleft()
            if tally.sample() is None:
                self._add_up(tally.closing())
            else:
                self.add(tally)

    def _add_up(self, closed: PoolSample) -> None:
        key = (closed.engine, closed.name)
        if key not in self._totals and len(self._totals) >= MAX_NAMES:
            key = ("", OTHERS)
        known = self._totals.get(key)
        if known is None:
            self._totals[key] = closed._replace(engine=key[0], name=key[1], id=0)
            return
        # The peak goes with the size of its pool: "4 of 3" was never true.
        fullest = max(known, closed, key=fullness)
        self._totals[key] = known._replace(
            pools=known.pools + closed.pools,
            peak=fullest.peak,
            max_size=fullest.max_size,
            peak_waiting=max(known.peak_waiting, closed.peak_waiting),
        )

    def told(self) -> None:
        """What `look` said of closed pools has been sent."""
        self._closed.clear()
        self._totals.clear()


def fullness(sample: PoolSample) -> Tuple[float, int]:
    """By which pools are compared: the share of what it may have, else how many it had."""
    return (sample.peak / sample.max_size if sample.max_size else 0.0, sample.peak)
