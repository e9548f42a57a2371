"""Hooks for asyncpg: `Pool._acquire`, the only source of true wait times, and all that runs SQL or connects.

`Connection.add_query_logger` is five times as expensive and misses prepared statements and cursors, which
means everything SQLAlchemy runs.
"""

import functools
import sys
import time
import weakref
from typing import Any, Callable, Dict, Optional, Tuple

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.plugin.observe.hooks import connecting
from tdd_monitor.plugin.observe.names import pool_name
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.servers import Endpoint, Login
from tdd_monitor.plugin.observe.sites import call_site
from tdd_monitor.plugin.observe.tally import PoolState, Tally, acquiring
from tdd_monitor.plugin.observe.wrapping import Begin, End, nothing, wrap

ENGINE = "asyncpg"
_CONNECTION = ("execute", "executemany", "fetch", "fetchval", "fetchrow", "fetchmany")
_COPY = ("_copy_in", "_copy_out")
_RECORDS = ("copy_records_to_table",)  # the only copy that uses neither
_PREPARED = ("fetch", "fetchval", "fetchrow", "fetchmany", "executemany")

_NEEDS_OF_SERVERS = ("connection.Connection._addr", "connection.Connection._params")
_NEEDS_OF_POOLS = (
    *("pool.Pool._acquire", "pool.Pool._queue", "pool.Pool._closed"),
    *("pool.PoolConnectionHolder._release", "pool.PoolConnectionHolder._pool"),
    *("connection.Connection._proxy", "pool.PoolConnectionProxy._holder"),
)
_NEEDS_OF_QUERIES = (
    *("connection.Connection._copy_in", "connection.Connection._copy_out"),
    *("prepared_stmt.PreparedStatement._connection", "prepared_stmt.PreparedStatement._query"),
    *("cursor.BaseCursor._bind_exec", "cursor.BaseCursor._bind", "cursor.BaseCursor._exec"),
    *("cursor.BaseCursor._connection", "cursor.BaseCursor._query", "cursor.BaseCursor._state"),
)
_TallyOf = Callable[[Registry, Any], Tally]

# Keyed by the queue of a pool's free connections, which lives as long: pools do not support weak references.
# Any, because the `data` of a weak dictionary is not in its type stub.
_tallies: Any = weakref.WeakKeyDictionary()
# Connections managed by another library's pool (SQLAlchemy).
adopted: Any = weakref.WeakKeyDictionary()


def install(registry: Registry) -> None:
    """Wrap the classes of asyncpg, as far as the imported version has the names we need."""
    import asyncpg

    compat, hooks = Compat("asyncpg"), registry.hooks(ENGINE)
    if compat.has("connections to servers are not counted", *_NEEDS_OF_SERVERS):
        wrap(
            asyncpg.connection.Connection,
            "__init__",
            hooks(*connecting(registry, _endpoint, _login, _is_closed)),
        )
    tally_of = _unpooled
    if compat.has("pools are not measured", *_NEEDS_OF_POOLS):
        wrap(asyncpg.pool.Pool, "_acquire", hooks(*_acquire(registry)))
        wrap(asyncpg.pool.PoolConnectionHolder, "_release", hooks(*_release(registry)))
        tally_of = _tally_of
    if compat.has("queries are not counted", *_NEEDS_OF_QUERIES):
        _watch_queries(registry, tally_of)
        registry.drivers.add(ENGINE)
    else:
        registry.note_unwatched(ENGINE)
    registry.report_limits(compat)


def _watch_queries(registry: Registry, tally_of: _TallyOf) -> None:
    import asyncpg

    connection, hooks = asyncpg.connection.Connection, registry.hooks(ENGINE)
    for names, owner, statement_of in (
        (_CONNECTION + _COPY, connection, _of_connection),
        (_RECORDS, connection, _of_records),
        (_PREPARED, asyncpg.prepared_stmt.PreparedStatement, _of_prepared),
    ):
        for name in names:
            if hasattr(owner, name):
                wrap(owner, name, hooks(*_run(registry, tally_of, statement_of)))
    for name, calls in (("_bind_exec", 1), ("_bind", 1), ("_exec", 0)):
        wrap(asyncpg.cursor.BaseCursor, name, hooks(*_run(registry, tally_of, _of_cursor, calls)))


def _endpoint(connection: Any) -> Endpoint:
    address, user = connection._addr, connection._params.user
    if isinstance(address, str):
        directory, _, port = address.rpartition("/.s.PGSQL.")
        return directory, int(port), user
    return address[0], address[1], user


def _login(connection: Any) -> Login:
    """The login as asyncpg resolved it, from the URL, keywords, PG* variables or the password file."""
    params = connection._params
    return params.password, params.database, _tls(params)


def _is_closed(connection: Any) -> bool:
    return bool(connection.is_closed())


def _tls(params: Any) -> Dict[str, str]:
    """TLS parameters that must not be weaker when the monitor sends the same password."""
    if not params.ssl:
        return {}
    if params.ssl.check_hostname:
        return {"sslmode": "verify-full"}
    if params.ssl.verify_mode:
        return {"sslmode": "verify-ca"}
    required = getattr(getattr(params, "sslmode", None), "name", "") == "require"
    return {"sslmode": "require"} if required else {}


def _of_connection(connection: Any, sql: Any) -> Tuple[Any, str]:
    return connection, sql


def _of_records(connection: Any, table: Any) -> Tuple[Any, str]:
    return connection, "COPY %s FROM STDIN" % table


def _of_prepared(statement: Any, _: Any) -> Tuple[Any, str]:
    return statement._connection, statement._query


def _of_cursor(cursor: Any, _: Any) -> Tuple[Any, str]:
    return cursor._connection, cursor._query or cursor._state.query


def _run(
    registry: Registry,
    tally_of: _TallyOf,
    statement_of: Callable[[Any, Any], Tuple[Any, str]],
    calls: int = 1,
    now: Callable[[], int] = time.perf_counter_ns,
) -> Tuple[Begin, End]:
    def begin(owner: Any, first: Any) -> Any:
        if not registry.enabled or acquiring.get():
            return None
        connection, sql = statement_of(owner, first)
        return tally_of(registry, connection), sql, now()

    def end(token: Any, result: Any) -> None:
        tally, sql, started_ns = token
        tally.executed(sql, now() - started_ns, calls)

    return begin, end


def _tally_of(registry: Registry, connection: Any) -> Tally:
    proxy = connection._proxy
    if proxy is not None:
        tally: Optional[Tally] = _tallies.data.get(weakref.ref(proxy._holder._pool._queue))
        if tally is not None:
            return tally
    # `data` first: a lookup in a weak dictionary takes longer than all the rest.
    return (adopted.get(connection) if adopted.data else None) or registry.unpooled(ENGINE)


def _unpooled(registry: Registry, connection: Any) -> Tally:
    return (adopted.get(connection) if adopted.data else None) or registry.unpooled(ENGINE)


def _acquire(registry: Registry) -> Tuple[Begin, End]:
    def begin(pool: Any, _: Any) -> Any:
        queue = pool._queue
        if not registry.enabled or queue is None:
            return None
        tally = _tallies.get(queue)
        if tally is None:
            read_state = functools.partial(_read_state, weakref.ref(queue))
            tally = _tallies[queue] = registry.pool(ENGINE, _name(pool), read_state)
        return tally.acquire(queue.empty(), call_site(sys._getframe(1)))

    def end(acquisition: Any, proxy: Any) -> None:
        acquisition.finish(None if proxy is None else id(proxy._holder))

    return begin, end


def _release(registry: Registry) -> Tuple[Begin, End]:
    def begin(holder: Any, _: Any) -> None:
        tally = _tallies.get(holder._pool._queue) if registry.enabled else None
        if tally is not None:
            tally.released(id(holder))

    return begin, nothing


def _read_state(reference: "weakref.ref[Any]") -> Optional[PoolState]:
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
