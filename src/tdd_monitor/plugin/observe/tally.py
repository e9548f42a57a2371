"""Counts for one connection pool: who holds its connections, what ran on them and for how long.

Imported only with the first driver: its imports are expensive.
"""

import time
from contextvars import ContextVar
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from tdd_monitor.plugin.observe import statements
from tdd_monitor.plugin.observe.attempts import Attempts
from tdd_monitor.plugin.observe.sites import Site
from tdd_monitor.protocol.events import PoolSample, PoolUse, Statement

MAX_STATEMENTS = 1000  # distinct texts kept per attempt and pool; beyond that they are folded at once
REPEATED_FROM = 3
TOP = 5

# True while a connection is being acquired: statements that the driver runs then are part of the acquisition.
acquiring: "ContextVar[bool]" = ContextVar("tdd_monitor_acquiring", default=False)


class PoolState(NamedTuple):
    """A pool according to its driver; `waiting` is -1 if the driver does not know."""

    in_use: int
    idle: int
    max_size: int = 0
    waiting: int = -1


class _Held(NamedTuple):
    attempt: int
    shared: bool
    site: Site


class _Usage:
    """The use of a pool by one account."""

    __slots__ = ("acquires", "peak", "statements", "waits")

    def __init__(self, peak: int) -> None:
        self.acquires: List[int] = []
        self.statements: Dict[str, List[int]] = {}
        self.waits = 0
        self.peak = peak


class Tally:
    """The counts of one pool, or, with the name "", of a driver's connections outside pools."""

    def __init__(
        self,
        attempts: Attempts,
        engine: str,
        name: str,
        read_state: Callable[[], Optional[PoolState]],
        id: int = 0,
    ) -> None:
        self._attempts = attempts
        self.engine = engine
        self.name = name
        self.id = id
        self._read_state = read_state
        self._max_size = 0
        self._life_peak = self._life_peak_waiting = 0
        self._held: Dict[Any, _Held] = {}
        self._waiting = 0
        self._usages: Dict[Any, _Usage] = {}

    def _usage(self) -> _Usage:
        account = self._attempts.account
        usage = self._usages.get(account)
        if usage is None:
            usage = self._usages[account] = _Usage(len(self._held))
            self._attempts.touched.setdefault(account, []).append(self)
        return usage

    def acquire(self, must_wait: bool, site: Site) -> "Acquisition":
        """A connection is requested; statements until `Acquisition.finish` are part of the acquisition."""
        with self._attempts.lock:
            if must_wait:
                self._waiting += 1
                self._usage().waits += 1
                self._life_peak_waiting = max(self._life_peak_waiting, self._waiting)
        acquiring.set(True)
        return Acquisition(self, must_wait, site)

    def acquire_ended(self, must_wait: bool, took_ns: int) -> None:
        """The request was met, or failed."""
        with self._attempts.lock:
            if must_wait:
                self._waiting -= 1
            self._usage().acquires.append(took_ns)

    def acquired(self, key: Any, site: Site) -> None:
        """A connection was acquired."""
        attempts = self._attempts
        with attempts.lock:
            self._held[key] = _Held(attempts.number, attempts.account is not None, site)
            usage = self._usage()
            usage.peak = max(usage.peak, len(self._held))
            self._life_peak = max(self._life_peak, len(self._held))

    def released(self, key: Any) -> None:
        """A connection was released."""
        with self._attempts.lock:
            self._held.pop(key, None)

    def executed(self, sql: str, took_ns: int, calls: int = 1) -> None:
        """A statement finished or failed. `calls` 0 adds time to one already counted."""
        with self._attempts.lock:
            usage = self._usages.get(self._attempts.account) or self._usage()
            entry = usage.statements.get(sql)
            if entry is None:
                if len(usage.statements) >= MAX_STATEMENTS:
                    usage.statements = _folded(usage.statements)
                    sql = statements.fold(sql)
                entry = usage.statements.setdefault(sql, [0, 0, 0])
            entry[0] += calls
            entry[1] += took_ns
            if took_ns > entry[2]:  # noqa: PLR1730  (max() takes 0.2 us a query)
                entry[2] = took_ns

    def reset(self) -> None:
        """Reset the counts of all accounts."""
        self._usages.clear()

    def collect(self, attempt: int, account: Any) -> Optional[PoolUse]:
        """Return and reset the use by the account; None for no use."""
        usage = self._usages.pop(account, None) or _Usage(len(self._held))
        # The pool resets a released connection, which may have been acquired in another attempt.
        texts = {
            sql: sums
            for sql, sums in usage.statements.items()
            if statements.kind(sql) != statements.POOL_RESET
        }
        leaks = self._leaks(attempt) if account is None else []
        if not usage.acquires and not texts and not leaks:
            return None
        return PoolUse(
            self.engine,
            self.name,
            len(usage.acquires),
            sum(usage.acquires),
            max(usage.acquires, default=0),
            usage.waits,
            usage.peak,
            len(leaks),
            tuple(["%s:%d" % leak.site for leak in leaks[:TOP]]),
            id=self.id,
            **_sums(texts),
        )

    def _leaks(self, attempt: int) -> List[_Held]:
        """Connections acquired in the attempt and not released; a shared fixture may keep its own."""
        return [held for held in self._held.values() if held.attempt == attempt and not held.shared]

    def sample(self) -> Optional[PoolSample]:
        """The current state of the pool; None if it is closed, or for connections outside pools."""
        try:
            state = self._read_state() if self.name else None
        except Exception:  # noqa: BLE001 - it changed while being read, or its internals are unknown
            state = None
        if state is None:
            return None
        in_use = state.in_use if state.in_use >= 0 else len(self._held)
        waiting = state.waiting if state.waiting >= 0 else self._waiting
        self._max_size = state.max_size
        # Connections acquired before our hooks are only in the driver's count.
        self._life_peak = max(self._life_peak, in_use)
        return PoolSample(
            self.name,
            self.engine,
            in_use,
            state.idle,
            in_use + state.idle,
            state.max_size,
            waiting,
            self.id,
            self._life_peak,
            self._life_peak_waiting,
        )

    def closed_sample(self) -> PoolSample:
        """The last sample of a closed pool, with its peaks."""
        return PoolSample(
            self.name,
            self.engine,
            max_size=self._max_size,
            id=self.id,
            peak=self._life_peak,
            peak_waiting=self._life_peak_waiting,
            closed=True,
            pools=1,
        )


class Acquisition:
    """One acquisition, from the request for a connection to its success or failure."""

    __slots__ = ("_must_wait", "_now", "_site", "_started_ns", "_tally")

    def __init__(
        self, tally: Tally, must_wait: bool, site: Site, now: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._tally, self._must_wait, self._site, self._now = tally, must_wait, site, now
        self._started_ns = now()

    def finish(self, key: Any) -> None:
        """End it with the `key` of the acquired connection, None if there is none."""
        acquiring.set(False)  # not reset: a coroutine may be closed in another context
        self._tally.acquire_ended(self._must_wait, self._now() - self._started_ns)
        if key is not None:
            self._tally.acquired(key, self._site)


def _folded(texts: Dict[str, List[int]]) -> Dict[str, List[int]]:
    merged: Dict[str, List[int]] = {}
    for sql, (count, total_ns, max_ns) in texts.items():
        entry = merged.setdefault(statements.fold(sql), [0, 0, 0])
        entry[0] += count
        entry[1] += total_ns
        entry[2] = max(entry[2], max_ns)
    return merged


def _sums(texts: Dict[str, List[int]]) -> Dict[str, Any]:
    counted = {sql: sums for sql, sums in texts.items() if statements.kind(sql) != statements.TRANSACTION}
    ddl = [sums for sql, sums in counted.items() if statements.kind(sql) == statements.DDL]
    folded = _folded(texts)
    slowest = sorted(folded.items(), key=lambda item: item[1][1], reverse=True)[:TOP]
    repeated = sorted(
        (
            item
            for item in folded.items()
            if item[1][0] >= REPEATED_FROM and statements.kind(item[0]) == statements.QUERY
        ),
        key=lambda item: item[1][0],
        reverse=True,
    )[:TOP]
    return {
        "queries": sum(sums[0] for sums in counted.values()),
        "query_ns": sum(sums[1] for sums in counted.values()),
        "ddl": sum(sums[0] for sums in ddl),
        "ddl_ns": sum(sums[1] for sums in ddl),
        "ddl_max_ns": max((sums[2] for sums in ddl), default=0),
        "slowest": tuple([Statement(sql, sums[0], sums[1]) for sql, sums in slowest]),
        "repeated": tuple([Statement(sql, sums[0], sums[1]) for sql, sums in repeated]),
    }
