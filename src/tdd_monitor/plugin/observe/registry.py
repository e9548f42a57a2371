"""The pools of the process and the attempt in progress.

Driver hooks report to the tallies, from any thread. The recorder collects the sums at the end of an
attempt; the sampler reads the pools ten times a second.
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

_CATCH_UP_EVERY = 32  # attempts between checks for drivers whose import our hooks missed
ENGINES = ("asyncpg", "psycopg", "sqlalchemy")  # whose hooks count queries
_MAX_USES = 20  # pools recorded individually per attempt


class Registry:
    """The pools of the process and the attempt in progress."""

    def __init__(self, on_notice: Callable[[str], None]) -> None:
        self._on_notice = on_notice
        self._faulty: Set[str] = set()
        self.enabled = True
        self.drivers: Set[str] = set()  # whose queries their own hooks count
        self.unwatched: Tuple[str, ...] = ()  # drivers in use whose queries are not counted
        self.servers = Servers()
        self._attempts = Attempts()
        self._open_pools = OpenPools()
        self._pools_seen = 0
        self._unpooled: "Dict[str, Tally]" = {}

    def pool(self, engine: str, name: str, read_state: "Callable[[], Optional[PoolState]]") -> "Tally":
        """Return the tally of a new pool."""
        from tdd_monitor.plugin.observe.tally import Tally

        with self._attempts.lock:
            self._pools_seen += 1
            tally = Tally(self._attempts, engine, name, read_state, self._pools_seen)
            tally.sample()  # records its maximum size before it may be closed
            self._open_pools.add(tally)
            return tally

    def unpooled(self, engine: str) -> "Tally":
        """Return the tally of a driver's connections outside pools."""
        tally = self._unpooled.get(engine)
        if tally is None:
            from tdd_monitor.plugin.observe.tally import Tally

            with self._attempts.lock:
                tally = self._unpooled.setdefault(engine, Tally(self._attempts, engine, "", _no_state))
        return tally

    def note_unwatched(self, driver: str) -> None:
        """Record that tests may use this driver from now on."""
        if driver not in self.unwatched:
            self.unwatched += (driver,)

    def hooks(self, driver: str) -> "Callable[[Begin, End], Hooks]":
        """Return a factory of hooks for that driver; their first failure is reported."""
        from tdd_monitor.plugin.observe.wrapping import Hooks

        return lambda begin, end: Hooks(begin, end, lambda error: self.fault(driver, error))

    def fault(self, driver: str, error: BaseException) -> None:
        """Report once that a hook failed; from now on the queries of tests with the driver are unknown."""
        if driver not in self._faulty:
            self._faulty.add(driver)
            if driver in ENGINES:
                self.note_unwatched(driver)
            self._on_notice("%s cannot be measured: %s" % (named(driver), describe(error)))

    def report_limits(self, compat: Compat) -> None:
        """Report what cannot be measured with the installed version of a driver."""
        notice = compat.notice()
        if notice:
            self._on_notice(notice)

    def begin_attempt(self) -> None:
        """Start an attempt, and drop the work done since the last one: it belongs to no test."""
        attempts = self._attempts
        attempts.number += 1
        if attempts.number % _CATCH_UP_EVERY == 0:
            catch_up()
        if attempts.touched:
            with attempts.lock:
                touched, attempts.touched = attempts.touched, {}
                for tallies in touched.values():
                    for tally in tallies:
                        tally.reset()

    def charge(self, account: Any) -> None:
        """Charge database work to this account from now on; None is the test."""
        self._attempts.account = account

    def collect(self, account: Any = None) -> Tuple[PoolUse, ...]:
        """Return and reset the use of every pool by this account: the test or a shared fixture."""
        attempts = self._attempts
        if account not in attempts.touched:
            return ()
        with attempts.lock:
            tallies = attempts.touched.pop(account)
            uses = [
                use
                for use in [tally.collect(attempts.number, account) for tally in tallies]
                if use is not None
            ]
        if len(uses) > _MAX_USES:
            from tdd_monitor.plugin.observe.uses import bounded

            return bounded(uses)
        return tuple(uses)

    def sample_pools(self, check_all: bool = False) -> "Tuple[Tuple[PoolSample, ...], int]":
        """Return the pools to report, and how many more are open."""
        if not self._open_pools:
            return (), 0
        with self._attempts.lock:
            return self._open_pools.sample(check_all)

    def mark_reported(self) -> None:
        """Called once the last result of `sample_pools` has been queued."""
        if self._open_pools:
            with self._attempts.lock:
                self._open_pools.mark_reported()

    def forget_threads(self) -> None:
        """Stop counting in a forked child, where a thread that does not exist may hold the lock."""
        self.enabled = False
        self._attempts.forget_threads()


def _no_state() -> "Optional[PoolState]":
    return None
