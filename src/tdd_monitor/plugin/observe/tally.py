"""One connection pool: who holds its connections, what ran on them, for how long.

Imported with the first driver, not before: most of what it needs is expensive to import.
"""

import time
from contextvars import ContextVar
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from tdd_monitor.plugin.observe import statements
from tdd_monitor.plugin.observe.attempts import Attempts
from tdd_monitor.plugin.observe.sites import Site
from tdd_monitor.protocol.events import PoolSample, PoolUse, Statement

MAX_STATEMENTS = 1000  # distinct texts kept per attempt and pool; beyond that they are folded early
REPEATED_FROM = 3
TOP = 5

# True while a connection is being acquired: what the driver runs then is part of the acquisition.
acquiring: "ContextVar[bool]" = ContextVar("tdd_monitor_acquiring", default=False)


class PoolState(NamedTuple):
    """A pool as its own driver sees it; `waiting` -1 where the driver does not know."""

    in_use: int
    idle: int
    max_size: int = 0
    waiting: int = -1


class _Held(NamedTuple):
    attempt: int
    shared: bool
    site: Site


class _Book:
    """What was done with a pool on one account."""

    __slots__ = ("acquires", "peak", "statements", "waits")

    def __init__(self, peak: int) -> None:
        self.acquires: List[int] = []
        self.statements: Dict[str, List[int]] = {}
        self.waits = 0
        self.peak = peak


class Tally:
    """One pool. With the name "", the connections of a driver that belong to no pool."""

    def __init__(
        self,
        attempts: Attempts,
        engine: str,
        name: str,
        look: Callable[[], Optional[PoolState]],
        id: int = 0,
    ) -> None:
        self._attempts = attempts
        self.engine = engine
        self.name = name
        self.id = id
        self._look = look
        self._max_size = 0
        self._life_peak = self._life_peak_waiting = 0
        self._held: Dict[Any, _Held] = {}
        self._waiting = 0
        self._books: Dict[Any, _Book] = {}

    def _book(self) -> _Book:
        account = self._attempts.account
        book = self._books.get(account)
        if book is None:
            book = self._books[account] = _Book(len(self._held))
            self._attempts.touched.setdefault(account, []).append(self)
        return book

    def acquire(self, must_wait: bool, site: Site) -> "Acquisition":
        """Somebody wants a connection; what the driver runs until it is there is part of that."""
        with self._attempts.lock:
            if must_wait:
                self._waiting += 1
                self._book().waits += 1
                self._life_peak_waiting = max(self._life_peak_waiting, self._waiting)
        acquiring.set(True)
        return Acquisition(self, must_wait, site)

    def answered(self, must_wait: bool, took_ns: int) -> None:
        """He got one, or an error."""
        with self._attempts.lock:
            if must_wait:
                self._waiting -= 1
            self._book().acquires.append(took_ns)

    def took(self, key: Any, site: Site) -> None:
        """A connection is out."""
        attempts = self._attempts
        with attempts.lock:
            self._held[key] = _Held(attempts.number, attempts.account is not None, site)
            book = self._book()
            book.peak = max(book.peak, len(self._held))
            self._life_peak = max(self._life_peak, len(self._held))

    def gave(self, key: Any) -> None:
        """It is back."""
        with self._attempts.lock:
            self._held.pop(key, None)

    def ran(self, sql: str, took_ns: int, calls: int = 1) -> None:
        """A statement is done, also with an error. `calls` 0 adds time to one that was counted."""
        with self._attempts.lock:
            book = self._books.get(self._attempts.account) or self._book()
            entry = book.statements.get(sql)
            if entry is None:
                if len(book.statements) >= MAX_STATEMENTS:
                    book.statements = _folded(book.statements)
                    sql = statements.fold(sql)
                entry = book.statements.setdefault(sql, [0, 0, 0])
            entry[0] += calls
            entry[1] += took_ns
            if took_ns > entry[2]:  # noqa: PLR1730  (max() takes 0.2 us a query)
                entry[2] = took_ns

    def forget(self) -> None:
        """Count from zero, on every account."""
        self._books.clear()

    def take(self, attempt: int, account: Any) -> Optional[PoolUse]:
        """What was done on the account, None for nothing; it counts from zero afterwards."""
        book = self._books.pop(account, None) or _Book(len(self._held))
        # The pool's own work when a connection comes back, perhaps one that another attempt had taken.
        texts = {
            sql: sums
            for sql, sums in book.statements.items()
            if statements.kind(sql) != statements.POOL_RESET
        }
        leaks = self._leaks(attempt) if account is None else []
        if not book.acquires and not texts and not leaks:
            return None
        return PoolUse(
            self.engine,
            self.name,
            len(book.acquires),
            sum(book.acquires),
            max(book.acquires, default=0),
            book.waits,
            book.peak,
            len(leaks),
            tuple(["%s:%d" % leak.site for leak in leaks[:TOP]]),
            id=self.id,
            **_sums(texts),
        )

    def _leaks(self, attempt: int) -> List[_Held]:
        """What a shared fixture takes, it may keep."""
        return [held for held in self._held.values() if held.attempt == attempt and not held.shared]

    def sample(self) -> Optional[PoolSample]:
        """The pool now; None when it is gone or was never one."""
        try:
            state = self._look() if self.name else None
        except Exception:  # noqa: BLE001 - it changes while we read it, or its internals are unknown
            state = None
        if state is None:
            return None
        in_use = state.in_use if state.in_use >= 0 else len(self._held)
        waiting = state.waiting if state.waiting >= 0 else self._waiting
        self._max_size = state.max_size
        # What was acquired before our hooks is in the driver's count only.
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

    def closing(self) -> PoolSample:
        """The pool after its end: its peaks are what is left of it."""
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
    """From the request for a connection to its acquisition, or to an error."""

    __slots__ = ("_must_wait", "_now", "_site", "_started_ns", "_tally")

    def __init__(
        self, tally: Tally, must_wait: bool, site: Site, now: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._tally, self._must_wait, self._site, self._now = tally, must_wait, site, now
        self._started_ns = now()

    def over(self, key: Any) -> None:
        """With the `key` of what was taken, None for nothing."""
        acquiring.set(False)  # not reset: a coroutine may be closed in another context
        self._tally.answered(self._must_wait, self._now() - self._started_ns)
        if key is not None:
            self._tally.took(key, self._site)


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
