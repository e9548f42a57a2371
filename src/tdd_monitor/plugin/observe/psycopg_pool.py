"""Hooks for psycopg_pool: acquisition and release of connections, sync and async."""

import functools
import re
import sys
import weakref
from typing import Any, Optional, Set, Tuple

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.plugin.observe import psycopg
from tdd_monitor.plugin.observe.names import pool_name
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.sites import call_site
from tdd_monitor.plugin.observe.tally import PoolState, Tally
from tdd_monitor.plugin.observe.wrapping import Begin, End, nothing, wrap

_COUNTS = ("ConnectionPool._pool", "ConnectionPool._nconns", "ConnectionPool._max_size")
_DEFAULT_NAME = re.compile(r"pool-\d+$")


def install(registry: Registry) -> None:
    """Wrap the pools of the imported psycopg_pool."""
    import psycopg_pool

    hooks, compat = registry.hooks("psycopg_pool"), Compat("psycopg_pool")
    for owner in (psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool):
        wrap(owner, "getconn", hooks(*_get(registry, compat)))
        wrap(owner, "putconn", hooks(*_put(registry)))


def _tally_of(registry: Registry, pool: Any) -> Tally:
    tally = psycopg.pools.get(pool)
    if tally is None:
        read_state = functools.partial(_read_state, weakref.ref(pool))
        tally = psycopg.pools[pool] = registry.pool(psycopg.ENGINE, _name(pool), read_state)
    return tally


def _get(registry: Registry, compat: Compat) -> Tuple[Begin, End]:
    lost: Set[str] = set()

    def lose(what: str, *names: str) -> None:
        if what not in lost:
            lost.add(what)
            compat.lose(what, names)
            registry.report_limits(compat)

    def must_wait(pool: Any) -> bool:
        # Instance attributes: missing ones show only with the first pool.
        try:
            return not pool._pool and pool._nconns >= pool._max_size
        except AttributeError:
            lose("waits for a connection are not counted", *_COUNTS)
            return False

    def begin(pool: Any, _: Any) -> Any:
        if not registry.enabled:
            return None
        return _tally_of(registry, pool).acquire(must_wait(pool), call_site(sys._getframe(1)))

    def end(acquisition: Any, connection: Any) -> None:
        acquisition.finish(None if connection is None else id(connection))
        if connection is not None and not hasattr(connection, "_pool"):
            lose("queries are not counted per pool", "Connection._pool")

    return begin, end


def _put(registry: Registry) -> Tuple[Begin, End]:
    def begin(pool: Any, connection: Any) -> None:
        if registry.enabled:
            _tally_of(registry, pool).released(id(connection))

    return begin, nothing


def _read_state(reference: "weakref.ref[Any]") -> Optional[PoolState]:
    pool = reference()
    if pool is None or pool.closed:
        return None
    stats = pool.get_stats()
    idle = stats.get("pool_available", 0)
    in_use = stats.get("pool_size", 0) - idle
    return PoolState(in_use, idle, stats.get("pool_max", 0), stats.get("requests_waiting", 0))


def _name(pool: Any) -> str:
    if not _DEFAULT_NAME.match(pool.name):
        return str(pool.name)
    keywords = pool.kwargs if isinstance(getattr(pool, "kwargs", None), dict) else {}
    named = pool_name(pool.conninfo, keywords.get("host", ""), keywords.get("dbname", ""))
    return named or str(pool.name)
