"""Hooks for SQLAlchemy 1.4 and 2: pools of sync and async engines, and statements on other drivers.

Statements on asyncpg and psycopg are counted by those drivers' own hooks, which find the pool of a connection
in `adopted`. For psycopg2, which has no hooks of its own, the server is reported here.
"""

import functools
import gc
import sys
import time
import weakref
from typing import Any, Callable, Dict, Optional

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.plugin.observe import asyncpg, psycopg
from tdd_monitor.plugin.observe.names import pool_name
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.sites import NOWHERE, call_site
from tdd_monitor.plugin.observe.tally import PoolState, Tally, acquiring
from tdd_monitor.plugin.observe.wrapping import wrap

ENGINE = "sqlalchemy"
_ADOPTED = {"asyncpg": asyncpg.adopted, "psycopg": psycopg.adopted, "psycopg_async": psycopg.adopted}
_MAX_SEARCHES = 3
_STARTED = "_tdd_monitor_started_ns"


def install(registry: Registry) -> None:
    """Listen to all pools and engines, including existing ones."""
    _Observer(registry).install()


class _Observer:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._tallies: "weakref.WeakKeyDictionary[Any, Tally]" = weakref.WeakKeyDictionary()
        self._engines: "weakref.WeakSet[Any]" = weakref.WeakSet()
        # Engines by pool, to avoid a search of thousands; dispose() gives an engine a new pool.
        self._engine_refs: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()
        self._held: Dict[int, Tally] = {}
        self._searches = 0
        self._compat = Compat("sqlalchemy")
        self._overflow_reported = False

    def install(self) -> None:
        from sqlalchemy import event, pool
        from sqlalchemy.engine import Engine

        hooks = self._registry.hooks(ENGINE)
        for owner in (pool.Pool, pool.SingletonThreadPool):
            wrap(owner, "connect", hooks(self._connecting, _connected))
        wrap(Engine, "__init__", hooks(_itself, self._created))
        event.listen(pool.Pool, "connect", self._connected)
        if self._compat.has("connections in use are not counted", "pool.base._ConnectionFairy._pool"):
            event.listen(pool.Pool, "checkout", self._checkout)
            event.listen(pool.Pool, "checkin", self._checkin)
            event.listen(pool.Pool, "detach", self._checkin)
        self._registry.report_limits(self._compat)
        event.listen(Engine, "before_cursor_execute", self._before)
        event.listen(Engine, "after_cursor_execute", self._after)
        event.listen(Engine, "handle_error", self._failed)

    def _created(self, engine: Any, _: Any) -> None:
        self._engines.add(engine)
        self._engine_refs[engine.pool] = weakref.ref(engine)

    def _connecting(self, pool: Any, _: Any) -> Any:
        if not self._registry.enabled or acquiring.get():
            return None
        return self._tally(pool).acquire(_must_wait(pool), NOWHERE)

    def _tally(self, pool: Any) -> Tally:
        tally = self._tallies.get(pool)
        if tally is None:
            read_state = functools.partial(_read_state, weakref.ref(pool))
            tally = self._tallies[pool] = self._registry.pool(ENGINE, self._name(pool), read_state)
            self._check(pool)
        return tally

    def _check(self, pool: Any) -> None:
        """Check for a name that exists only on instances."""
        from sqlalchemy.pool import QueuePool

        if isinstance(pool, QueuePool) and not hasattr(pool, "_max_overflow") and not self._overflow_reported:
            self._overflow_reported = True
            self._compat.lose("the maximum size of pools is unknown", ["QueuePool._max_overflow"])
            self._registry.report_limits(self._compat)

    def _name(self, pool: Any) -> str:
        engine_ref = self._engine_refs.get(pool)
        engine = engine_ref() if engine_ref is not None else self._engine_of(pool, self._engines)
        if engine is None and self._searches < _MAX_SEARCHES:
            # An engine created before our hooks.
            self._searches += 1
            engine = self._engine_of(pool, gc.get_objects())
        if engine is None:
            return type(pool).__name__
        url = engine.url
        database = url.database.rpartition("/")[2] if url.database else ""
        host = url.host or url.query.get("host", "")
        return pool_name(None, host if isinstance(host, str) else "", database) or str(url.drivername)

    @staticmethod
    def _engine_of(pool: Any, candidates: Any) -> Any:
        from sqlalchemy.engine import Engine

        for candidate in list(candidates):
            if type(candidate) is Engine and candidate.pool is pool:
                return candidate
        return None

    def _connected(self, dbapi_connection: Any, record: Any) -> None:
        is_psycopg2 = hasattr(getattr(dbapi_connection, "info", None), "dsn_parameters")
        if is_psycopg2 and self._registry.enabled:
            self._registry.servers.connected(
                dbapi_connection, psycopg.endpoint, psycopg.login, psycopg.is_closed
            )

    def _checkout(self, dbapi_connection: Any, record: Any, proxy: Any) -> None:
        if not self._registry.enabled:
            return
        tally = self._tally(proxy._pool)
        self._held[id(record)] = tally
        tally.acquired(id(record), call_site(sys._getframe(1)))
        driver_connection = getattr(record, "driver_connection", dbapi_connection)
        for driver, adopted in _ADOPTED.items():
            if type(driver_connection).__module__.partition(".")[0] == driver:
                adopted[driver_connection] = tally

    def _checkin(self, dbapi_connection: Any, record: Any) -> None:
        tally = self._held.pop(id(record), None)
        if tally is not None:
            tally.released(id(record))

    def _before(self, conn: Any, *args: Any, now: Callable[[], int] = time.perf_counter_ns) -> None:
        context = args[-2]
        if context is not None and self._registry.enabled and not self._counted_by_driver(conn):
            setattr(context, _STARTED, now())

    def _after(self, conn: Any, *args: Any) -> None:
        _, statement, _, context, _ = args
        self._ran(conn, statement, context)

    def _failed(self, error: Any) -> None:
        if error.connection is not None and error.statement is not None:
            self._ran(error.connection, error.statement, error.execution_context)

    def _ran(
        self, conn: Any, statement: Any, context: Any, now: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        started_ns = context.__dict__.pop(_STARTED, 0) if context is not None else 0
        if started_ns:
            self._tally(conn.engine.pool).executed(str(statement), now() - started_ns)

    def _counted_by_driver(self, conn: Any) -> bool:
        driver = conn.dialect.driver
        return driver in _ADOPTED and driver.partition("_")[0] in self._registry.drivers


def _itself(engine: Any, _: Any) -> Any:
    return engine


def _connected(acquisition: Any, _: Any) -> None:
    acquisition.finish(None)  # the checkout event reports the connection


def _must_wait(pool: Any) -> bool:
    state = _counts(pool)
    return state is not None and state.idle == 0 and 0 < state.max_size <= state.in_use


def _read_state(reference: "weakref.ref[Any]") -> Optional[PoolState]:
    pool = reference()
    if pool is None:
        return None
    return _counts(pool) or PoolState(-1, 0)


def _counts(pool: Any) -> Optional[PoolState]:
    """The state of a pool; None for pools without a queue (NullPool, StaticPool, SingletonThreadPool)."""
    if not all(hasattr(pool, name) for name in ("checkedout", "checkedin", "size")):
        return None
    overflow = getattr(pool, "_max_overflow", -1)
    max_size = pool.size() + overflow if overflow >= 0 else 0
    return PoolState(pool.checkedout(), pool.checkedin(), max_size)
