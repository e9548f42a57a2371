"""Hooks for psycopg 3: its connections, and the statements of its sync and async cursors."""

import time
import weakref
from typing import Any, Callable, Tuple

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.plugin.observe.hooks import connecting
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.servers import Endpoint, Login
from tdd_monitor.plugin.observe.tally import Tally, acquiring
from tdd_monitor.plugin.observe.wrapping import Begin, End, wrap

ENGINE = "psycopg"
_TLS_DEMANDED = ("require", "verify-ca", "verify-full")
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")

# Tallies of psycopg_pool's pools.
pools: "weakref.WeakKeyDictionary[Any, Tally]" = weakref.WeakKeyDictionary()
# Connections managed by SQLAlchemy's pools. Any, because `data` is not in the type stub.
adopted: Any = weakref.WeakKeyDictionary()


def install(registry: Registry) -> None:
    """Wrap connections and cursors of the imported psycopg; server-side cursors override the methods."""
    import psycopg

    compat, hooks = Compat("psycopg"), registry.hooks(ENGINE)
    for connection in (psycopg.Connection, psycopg.AsyncConnection):
        wrap(connection, "__init__", hooks(*connecting(registry, endpoint, login, is_closed)))
    if not compat.has("queries are not counted", "Cursor._conn", "AsyncCursor._conn"):
        registry.note_unwatched(ENGINE)
        registry.report_limits(compat)
        return
    cursors = (psycopg.Cursor, psycopg.ServerCursor, psycopg.AsyncCursor, psycopg.AsyncServerCursor)
    for owner in cursors:
        for name in ("execute", "executemany", "stream", "copy"):
            if name in owner.__dict__:
                wrap(owner, name, hooks(*_run(registry)))
    registry.drivers.add(ENGINE)


def endpoint(connection: Any) -> Endpoint:
    """The endpoint of a psycopg or psycopg2 connection, as libpq knows it."""
    info = connection.info
    return info.host, info.port, info.user


def login(connection: Any) -> Login:
    """The login of a psycopg or psycopg2 connection, as libpq resolved it."""
    info = connection.info
    # psycopg has the method, psycopg2 the attribute.
    parameters = info.get_parameters() if hasattr(info, "get_parameters") else info.dsn_parameters
    if info.host.startswith("/") or parameters.get("sslmode") not in _TLS_DEMANDED:
        return info.password, info.dbname, {}
    return info.password, info.dbname, {name: parameters[name] for name in _TLS if name in parameters}


def is_closed(connection: Any) -> bool:
    """Whether a psycopg or psycopg2 connection is closed."""
    return bool(connection.closed)


def _tally_of(registry: Registry, cursor: Any) -> Tally:
    connection = cursor._conn
    pool = getattr(connection, "_pool", None)
    tally = pools.get(pool) if pool is not None else None
    # `data` first: a lookup in a weak dictionary takes longer than all the rest.
    return tally or (adopted.get(connection) if adopted.data else None) or registry.unpooled(ENGINE)


def _text(query: Any, cursor: Any) -> str:
    if isinstance(query, str):
        return query
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    try:
        return str(query.as_string(cursor._conn))
    except Exception:  # noqa: BLE001 - a template string, or anything else that is not a Composable
        return repr(query)


def _run(registry: Registry, now: Callable[[], int] = time.perf_counter_ns) -> Tuple[Begin, End]:
    """Hooks for a statement, which ends with a stream's first row or with a copy's block."""

    def begin(cursor: Any, query: Any) -> Any:
        if not registry.enabled or acquiring.get():
            return None
        return _tally_of(registry, cursor), cursor, query, now()

    def end(token: Any, result: Any) -> None:
        tally, cursor, query, started_ns = token
        took_ns = now() - started_ns
        tally.executed(_text(query, cursor), took_ns)

    return begin, end
