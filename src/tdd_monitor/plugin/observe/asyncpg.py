"""Hooks for asyncpg: `Pool._acquire`, the only place with true wait times, whatever runs SQL, and
whoever connects.

`Connection.add_query_logger` costs five times as much and misses prepared statements and cursors, that
is, all of SQLAlchemy.
"""

import functools
import sys
import time
import weakref
from typing import Any, Callable, Dict, Optional, Tuple

from tdd_monitor.plugin.observe.names import pool_name
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.servers import Login, Place, announcing
from tdd_monitor.plugin.observe.sites import call_site
from tdd_monitor.plugin.observe.tally import PoolState, Tally, acquiring

ENGINE = "asyncpg"
_CONNECTION = ("execute", "executemany", "fetch", "fetchval", "fetchrow", "fetchmany")
_COPY = ("_copy_in", "_copy_out")
_RECORDS = ("copy_records_to_table",)  # the one copy that does not pass through those
_PREPARED = ("fetch", "fetchval", "fetchrow", "fetchmany", "executemany")

# Pools have slots and no weak references; the queue of their free connections has, and lives as long.
_tallies: "weakref.WeakKeyDictionary[Any, Tally]" = weakref.WeakKeyDictionary()
# Connections that another library's pool has taken over (SQLAlchemy).
adopted: "weakref.WeakKeyDictionary[Any, Tally]" = weakref.WeakKeyDictionary()


def install(registry: Registry) -> None:
    """Wrap the classes of asyncpg, which are imported."""
    from asyncpg import cursor, pool, prepared_stmt
    from asyncpg.connection import Connection

    _wrap(Connection, "__init__", functools.partial(announcing, registry, _place, _login))
    _wrap(pool.Pool, "_acquire", functools.partial(_acquire, registry))
    _wrap(pool.PoolConnectionHolder, "_release", functools.partial(_release, registry))
    for names, owner, place in (
        (_CONNECTION + _COPY, Connection, _of_connection),
        (_RECORDS, Connection, _of_records),
        (_PREPARED, prepared_stmt.PreparedStatement, _of_prepared),
    ):
        for name in names:
            if hasattr(owner, name):
                _wrap(owner, name, functools.partial(_run, registry, place))
    for name, calls in (("_bind_exec", 1), ("_bind", 1), ("_exec", 0)):
        _wrap(cursor.BaseCursor, name, functools.partial(_run, registry, _of_cursor, calls=calls))


def _wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    method = getattr(owner, name)
    setattr(owner, name, functools.wraps(method)(make(method)))


def _place(connection: Any) -> Place:
    address, user = connection._addr, connection._params.user
    if isinstance(address, str):
        directory, _, port = address.rpartition("/.s.PGSQL.")
        return directory, int(port), user
    return address[0], address[1], user


def _login(connection: Any) -> Login:
    """As asyncpg resolved it: of the URL, keywords, PG* variables or the password file."""
    params = connection._params
    return params.password, params.database, _tls(params)


def _tls(params: Any) -> Dict[str, str]:
    """What must not be weaker when the monitor sends the same password over the same network."""
    if not params.ssl:
        return {}
    if params.ssl.check_hostname:
        return {"sslmode": "verify-full"}
    if params.ssl.verify_mode:
        return {"sslmode": "verify-ca"}
    required = getattr(getattr(params, "sslmode", None), "name", "") == "require"
    return {"sslmode": "require"} if required else {}


def _of_connection(connection: Any, args: Tuple[Any, ...]) -> Tuple[Any, str]:
    return connection, args[0] if args else ""


def _of_records(connection: Any, args: Tuple[Any, ...]) -> Tuple[Any, str]:
    return connection, "COPY %s FROM STDIN" % (args[0] if args else "records")


def _of_prepared(statement: Any, args: Tuple[Any, ...]) -> Tuple[Any, str]:
    return statement._connection, statement._query


def _of_cursor(cursor: Any, args: Tuple[Any, ...]) -> Tuple[Any, str]:
    return cursor._connection, cursor._query or cursor._state.query


def _run(
    registry: Registry,
    place: Callable[[Any, Tuple[Any, ...]], Tuple[Any, str]],
    method: Any,
    calls: int = 1,
    now: Callable[[], int] = time.perf_counter_ns,
) -> Any:
    async def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not registry.enabled or acquiring.get():
            return await method(self, *args, **kwargs)
        connection, sql = place(self, args)
        tally = _tally_of(registry, connection)
        started_ns = now()
        try:
            return await method(self, *args, **kwargs)
        finally:
            tally.ran(sql or kwargs.get("query", ""), now() - started_ns, calls)

    return run


def _tally_of(registry: Registry, connection: Any) -> Tally:
    proxy = connection._proxy
    if proxy is not None:
        tally = _tallies.get(proxy._holder._pool._queue)
        if tally is not None:
            return tally
    return adopted.get(connection) or registry.loose(ENGINE)


def _acquire(registry: Registry, method: Any, now: Callable[[], int] = time.perf_counter_ns) -> Any:
    async def acquire(self: Any, *args: Any) -> Any:
        queue = self._queue
        if not registry.enabled or queue is None:
            return await method(self, *args)
        site = call_site(sys._getframe(1))
        tally = _tallies.get(queue)
        if tally is None:
            look = functools.partial(_look, weakref.ref(queue))
            tally = _tallies[queue] = registry.pool(ENGINE, _name(self), look)
        must_wait = queue.empty()
        tally.asked(must_wait)
        acquiring.set(True)
        started_ns = now()
        try:
            proxy = await method(self, *args)
        finally:
            acquiring.set(False)  # not reset: a coroutine may be closed in another context
            tally.answered(must_wait, now() - started_ns)
        tally.took(id(proxy._holder), site)
        return proxy

    return acquire


def _release(registry: Registry, method: Any) -> Any:
    def release(self: Any) -> Any:
        tally = _tallies.get(self._pool._queue) if registry.enabled else None
        if tally is not None:
            tally.gave(id(self))
        return method(self)

    return release


def _look(reference: "weakref.ref[Any]") -> Optional[PoolState]:
    queue = reference()
    if queue is None:
        return None
    free = getattr(queue, "_queue", ())
    if not free:
        return PoolState(queue.maxsize, 0, queue.maxsize)
    pool = free[-1]._pool
    if pool._closed:
        return None
    # A holder without a connection is neither idle nor in use.
    idle = pool.get_idle_size()
    return PoolState(pool.get_size() - idle, idle, pool.get_max_size())


def _name(pool: Any) -> str:
    keywords = getattr(pool, "_connect_kwargs", {})
    dsn = next(iter(getattr(pool, "_connect_args", ())), None) or keywords.get("dsn") or ""
    host, database = keywords.get("host"), keywords.get("database")
    return pool_name(dsn, host if isinstance(host, str) else "", database or "") or ENGINE
