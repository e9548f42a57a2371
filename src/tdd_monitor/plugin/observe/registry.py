"""All pools of the process, and the attempt that is running.

The hooks of the drivers report to the tallies, from any thread; the recorder takes the sums at the end of
an attempt, the sampler looks at the pools ten times a second.
"""

import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Set, Tuple

from tdd_monitor.plugin.observe.imports import catch_up
from tdd_monitor.plugin.observe.servers import Servers
from tdd_monitor.protocol.events import PoolSample, PoolUse

if TYPE_CHECKING:
    from tdd_monitor.plugin.observe.tally import PoolState, Tally
    from tdd_monitor.plugin.observe.wrapping import Begin, End, Hooks

_ATTEMPTS_A_LOOK = 32  # between looks for drivers that were imported past us
_MAX_TWINS = 9  # pools of one name that are told apart


class Registry:
    """All pools of the process, and which attempt is running."""

    def __init__(self, on_fault: "Callable[[str, BaseException], None]") -> None:
        self._on_fault = on_fault
        self._faulty: Set[str] = set()
        # Reentrant: a finalizer may give a connection back in the middle of anything.
        self.lock = threading.RLock()
        self.attempt = 0
        self.enabled = True
        self.drivers: Set[str] = set()
        self.servers = Servers()
        self.account: Any = None  # whose statements these are: a shared fixture's use, None for the test
        self._tallies: "List[Tally]" = []
        self._loose: "Dict[str, Tally]" = {}

    def pool(self, engine: str, name: str, look: "Callable[[], Optional[PoolState]]") -> "Tally":
        """The tally of a pool that is seen for the first time."""
        from tdd_monitor.plugin.observe.tally import Tally

        with self.lock:
            taken = {tally.name for tally in self._tallies if tally.sample() is not None}
            unique, number = name, 1
            while unique in taken and number < _MAX_TWINS:
                number += 1
                unique = "%s #%d" % (name, number)
            tally = Tally(self, engine, unique, look)
            self._tallies.append(tally)
            return tally

    def loose(self, engine: str) -> "Tally":
        """The tally of a driver's connections that belong to no pool."""
        tally = self._loose.get(engine)
        if tally is None:
            from tdd_monitor.plugin.observe.tally import Tally

            with self.lock:
                tally = self._loose.setdefault(engine, Tally(self, engine, "", _nothing))
        return tally

    def hooks(self, driver: str) -> "Callable[[Begin, End], Hooks]":
        """Hooks of that driver: the first that fails is told."""
        from tdd_monitor.plugin.observe.wrapping import Hooks

        def fault(error: BaseException) -> None:
            if driver not in self._faulty:
                self._faulty.add(driver)
                self._on_fault(driver, error)

        return lambda begin, end: Hooks(begin, end, fault)

    def begin_attempt(self) -> None:
        """What was not asked for within an attempt is nobody's."""
        self.attempt += 1
        if self.attempt % _ATTEMPTS_A_LOOK == 0:
            catch_up()
        if self._tallies or self._loose:
            with self.lock:
                for tally in (*self._tallies, *self._loose.values()):
                    tally.forget()

    def charge(self, account: Any) -> None:
        """From now on what is asked of a database belongs to this account; None is the test's."""
        self.account = account

    def take(self, account: Any = None) -> Tuple[PoolUse, ...]:
        """What was done on this account with every pool: by the test, or by a shared fixture."""
        if not self._tallies and not self._loose:
            return ()
        with self.lock:
            tallies = [*self._tallies, *self._loose.values()]
            uses = [tally.take(self.attempt, account) for tally in tallies]
            if account is None:  # the test comes last: a closed pool has nothing more to tell
                self._tallies = [
                    tally
                    for tally, use in zip(tallies, uses)
                    if tally.name and (use or tally.sample() is not None)
                ]
        return tuple([use for use in uses if use is not None])

    def samples(self) -> Tuple[PoolSample, ...]:
        """Every pool that is alive."""
        if not self._tallies:
            return ()
        with self.lock:
            samples = [tally.sample() for tally in self._tallies]
        return tuple([sample for sample in samples if sample is not None])

    def forget_threads(self) -> None:
        """In a forked child nothing is counted, and the lock may be held by a thread that is not there."""
        self.enabled = False
        self.lock = threading.RLock()


def _nothing() -> "Optional[PoolState]":
    return None
