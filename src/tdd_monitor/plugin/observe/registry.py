"""All pools of the process, and the attempt that is running.

The hooks of the drivers report to the tallies, from any thread; the recorder takes the sums at the end of
an attempt, the sampler looks at the pools ten times a second.
"""

from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Set, Tuple

from tdd_monitor.plugin.compat import Compat, named
from tdd_monitor.plugin.guard import describe
from tdd_monitor.plugin.observe.attempts import Attempts
from tdd_monitor.plugin.observe.imports import catch_up
from tdd_monitor.plugin.observe.open_pools import OpenPools
from tdd_monitor.plugin.observe.servers import Servers
from tdd_monitor.protocol.events import PoolSample, PoolUse

if TYPE_CHECKING:
    from tdd_monitor.plugin.observe.tally import PoolState, Tally
    from tdd_monitor.plugin.observe.wrapping import Begin, End, Hooks

_ATTEMPTS_A_LOOK = 32  # between checks for drivers whose import our hooks missed
ENGINES = ("asyncpg", "psycopg", "sqlalchemy")  # by which queries are counted
_FEW = 20  # pools of an attempt: more may be too many


class Registry:
    """All pools of the process, and which attempt is running."""

    def __init__(self, on_notice: Callable[[str], None]) -> None:
        self._on_notice = on_notice
        self._faulty: Set[str] = set()
        self.enabled = True
        self.drivers: Set[str] = set()  # whose own hooks count their queries
        self.unwatched: Tuple[str, ...] = ()  # drivers in use whose queries are not counted
        self.servers = Servers()
        self._attempts = Attempts()
        self._open_pools = OpenPools()
        self._pools_seen = 0
        self._loose: "Dict[str, Tally]" = {}

    def pool(self, engine: str, name: str, look: "Callable[[], Optional[PoolState]]") -> "Tally":
        """The tally of a pool that is seen for the first time."""
        from tdd_monitor.plugin.observe.tally import Tally

        with self._attempts.lock:
            self._pools_seen += 1
            tally = Tally(self._attempts, engine, name, look, self._pools_seen)
            tally.sample()  # how large it may become, before it is gone
            self._open_pools.add(tally)
            return tally

    def loose(self, engine: str) -> "Tally":
        """The tally of a driver's connections that belong to no pool."""
        tally = self._loose.get(engine)
        if tally is None:
            from tdd_monitor.plugin.observe.tally import Tally

            with self._attempts.lock:
                tally = self._loose.setdefault(engine, Tally(self._attempts, engine, "", _nothing))
        return tally

    def note_unwatched(self, driver: str) -> None:
        """From now on, tests may use this driver."""
        if driver not in self.unwatched:
            self.unwatched += (driver,)

    def hooks(self, driver: str) -> "Callable[[Begin, End], Hooks]":
        """Hooks of that driver: the first failure is reported."""
        from tdd_monitor.plugin.observe.wrapping import Hooks

        return lambda begin, end: Hooks(begin, end, lambda error: self.fault(driver, error))

    def fault(self, driver: str, error: BaseException) -> None:
        """Report once that a hook has failed; what tests do with the driver is unknown from now on."""
        if driver not in self._faulty:
            self._faulty.add(driver)
            if driver in ENGINES:
                self.note_unwatched(driver)
            self._on_notice("%s cannot be watched: %s" % (named(driver), describe(error)))

    def limited(self, compat: Compat) -> None:
        """Tell what the installed version of a driver does not let us measure."""
        notice = compat.notice()
        if notice:
            self._on_notice(notice)

    def begin_attempt(self) -> None:
        """What was requested outside an attempt belongs to no test."""
        attempts = self._attempts
        attempts.number += 1
        if attempts.number % _ATTEMPTS_A_LOOK == 0:
            catch_up()
        if attempts.touched:
            with attempts.lock:
                touched, attempts.touched = attempts.touched, {}
                for tallies in touched.values():
                    for tally in tallies:
                        tally.forget()

    def charge(self, account: Any) -> None:
        """From now on what is asked of a database belongs to this account; None is the test's."""
        self._attempts.account = account

    def take(self, account: Any = None) -> Tuple[PoolUse, ...]:
        """What was done on this account with every pool: by the test, or by a shared fixture."""
        attempts = self._attempts
        if account not in attempts.touched:
            return ()
        with attempts.lock:
            tallies = attempts.touched.pop(account)
            uses = [
                use for use in [tally.take(attempts.number, account) for tally in tallies] if use is not None
            ]
        if len(uses) > _FEW:
            from tdd_monitor.plugin.observe.uses import bounded

            return bounded(uses)
        return tuple(uses)

    def look(self, all_of_them: bool = False) -> "Tuple[Tuple[PoolSample, ...], int]":
        """The pools to report, and how many more are open."""
        if not self._open_pools:
            return (), 0
        with self._attempts.lock:
            return self._open_pools.look(all_of_them)

    def told(self) -> None:
        """What `look` said is on its way."""
        if self._open_pools:
            with self._attempts.lock:
                self._open_pools.told()

    def forget_threads(self) -> None:
        """In a forked child nothing is counted, and the lock may be held by a thread that is not there."""
        self.enabled = False
        self._attempts.forget_threads()


def _nothing() -> "Optional[PoolState]":
    return None
