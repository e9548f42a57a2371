"""Hooks for psycopg_pool: connections taken from and given back to its pools, sync and async."""

import functools
import re
import sys
import weakref
from typing import Any, Optional, Tuple

from tdd_monitor.plugin.observe import psycopg
from tdd_monitor.plugin.observe.names import pool_name
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.sites import call_site
from tdd_monitor.plugin.observe.tally import PoolState, Tally
from tdd_monitor.plugin.observe.wrapping import Begin, End, nothing, wrap

_NAMED_BY_ITSELF = re.compile(r"pool-\d+$")


def install(registry: Registry) -> None:
    """Wrap the pools of psycopg_pool, which is imported."""
    import psycopg_pool

    hooks = registry.hooks("psycopg_pool")
    for owner in (psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool):
        wrap(owner, "getconn", hooks(*_get(registry)))
        wrap(owner, "putconn", hooks(*_put(registry)))


def _tally_of(registry: Registry, pool: Any) -> Tally:
    tally = psycopg.pools.get(pool)
    if tally is None:
        look = functools.partial(_look, weakref.ref(pool))
        tally = psycopg.pools[pool] = registry.pool(psycopg.ENGINE, _name(pool), look)
    return tally


def _must_wait(pool: Any) -> bool:
    return not pool._pool and pool._nconns >= pool._max_size


def _get(registry: Registry) -> Tuple[Begin, End]:
    def begin(pool: Any, _: Any) -> Any:
        if not registry.enabled:
            return None
        return _tally_of(registry, pool).acquire(_must_wait(pool), call_site(sys._getframe(1)))

    def end(acquisition: Any, connection: Any) -> None:
        acquisition.over(None if connection is None else id(connection))

    return begin, end


def _put(registry: Registry) -> Tuple[Begin, End]:
    def begin(pool: Any, connection: Any) -> None:
        if registry.enabled:
            _tally_of(registry, pool).gave(id(connection))

    return begin, nothing


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
