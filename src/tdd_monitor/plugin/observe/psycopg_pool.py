"""Hooks for psycopg_pool: connections taken from and given back to its pools, sync and async."""

import functools
import re
import sys
import time
import weakref
from typing import Any, Callable, Optional

from tdd_monitor.plugin.observe import psycopg
from tdd_monitor.plugin.observe.names import pool_name
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.sites import call_site
from tdd_monitor.plugin.observe.tally import PoolState, Tally, acquiring

_NAMED_BY_ITSELF = re.compile(r"pool-\d+$")


def install(registry: Registry) -> None:
    """Wrap the pools of psycopg_pool, which is imported."""
    import psycopg_pool

    for owner, get, put in (
        (psycopg_pool.ConnectionPool, _get, _put),
        (psycopg_pool.AsyncConnectionPool, _get_async, _put_async),
    ):
        for name, make in (("getconn", get), ("putconn", put)):
            method = getattr(owner, name)
            setattr(owner, name, functools.wraps(method)(make(registry, method)))


def _tally_of(registry: Registry, pool: Any) -> Tally:
    tally = psycopg.pools.get(pool)
    if tally is None:
        look = functools.partial(_look, weakref.ref(pool))
        tally = psycopg.pools[pool] = registry.pool(psycopg.ENGINE, _name(pool), look)
    return tally


def _must_wait(pool: Any) -> bool:
    return not pool._pool and pool._nconns >= pool._max_size


def _get(registry: Registry, method: Any, now: Callable[[], int] = time.perf_counter_ns) -> Any:
    def getconn(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not registry.enabled:
            return method(self, *args, **kwargs)
        tally, must_wait, site = _tally_of(registry, self), _must_wait(self), call_site(sys._getframe(1))
        tally.asked(must_wait)
        acquiring.set(True)
        started_ns = now()
        try:
            connection = method(self, *args, **kwargs)
        finally:
            acquiring.set(False)
            tally.answered(must_wait, now() - started_ns)
        tally.took(id(connection), site)
        return connection

    return getconn


def _get_async(registry: Registry, method: Any, now: Callable[[], int] = time.perf_counter_ns) -> Any:
    async def getconn(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not registry.enabled:
            return await method(self, *args, **kwargs)
        tally, must_wait, site = _tally_of(registry, self), _must_wait(self), call_site(sys._getframe(1))
        tally.asked(must_wait)
        acquiring.set(True)
        started_ns = now()
        try:
            connection = await method(self, *args, **kwargs)
        finally:
            acquiring.set(False)
            tally.answered(must_wait, now() - started_ns)
        tally.took(id(connection), site)
        return connection

    return getconn


def _put(registry: Registry, method: Any) -> Any:
    def putconn(self: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
        if registry.enabled:
            _tally_of(registry, self).gave(id(conn))
        return method(self, conn, *args, **kwargs)

    return putconn


def _put_async(registry: Registry, method: Any) -> Any:
    async def putconn(self: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
        if registry.enabled:
            _tally_of(registry, self).gave(id(conn))
        return await method(self, conn, *args, **kwargs)

    return putconn


def _look(reference: "weakref.ref[Any]") -> Optional[PoolState]:
    pool = reference()
    if pool is None or pool.closed:
        return None
    stats = pool.get_stats()
    idle = stats.get("pool_available", 0)
    in_use = stats.get("pool_size", 0) - idle
    return PoolState(in_use, idle, stats.get("pool_max", 0), stats.get("requests_waiting", 0))


def _name(pool: Any) -> str:
    if not _NAMED_BY_ITSELF.match(pool.name):
        return str(pool.name)
    keywords = pool.kwargs if isinstance(getattr(pool, "kwargs", None), dict) else {}
    named = pool_name(pool.conninfo, keywords.get("host", ""), keywords.get("dbname", ""))
    return named or str(pool.name)
