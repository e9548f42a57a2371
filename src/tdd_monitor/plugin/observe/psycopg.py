"""Hooks for psycopg 3: statements of its cursors, sync and async, and its connections."""

import time
import weakref
from typing import Any, Callable, Tuple

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.plugin.observe.hooks import announcing
from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.servers import Login, Place
from tdd_monitor.plugin.observe.tally import Tally, acquiring
from tdd_monitor.plugin.observe.wrapping import Begin, End, wrap

ENGINE = "psycopg"
_TLS_DEMANDED = ("require", "verify-ca", "verify-full")
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")

# Pools by identity of their kind: psycopg_pool's tallies, and connections that SQLAlchemy has taken over.
pools: "weakref.WeakKeyDictionary[Any, Tally]" = weakref.WeakKeyDictionary()
adopted: Any = weakref.WeakKeyDictionary()  # Any: its `data` is not declared


def install(registry: Registry) -> None:
    """Wrap the cursors of psycopg, which is imported; server-side cursors have methods of their own."""
    import psycopg

    compat, hooks = Compat("psycopg"), registry.hooks(ENGINE)
    for connection in (psycopg.Connection, psycopg.AsyncConnection):
        wrap(connection, "__init__", hooks(*announcing(registry, place, login, is_closed)))
    if not compat.has("queries are not counted", "Cursor._conn", "AsyncCursor._conn"):
        registry.note_unwatched(ENGINE)
        registry.limited(compat)
        return
    cursors = (psycopg.Cursor, psycopg.ServerCursor, psycopg.AsyncCursor, psycopg.AsyncServerCursor)
    for owner in cursors:
        for name in ("execute", "executemany", "stream", "copy"):
            if name in owner.__dict__:
                wrap(owner, name, hooks(*_run(registry)))
    registry.drivers.add(ENGINE)


def place(connection: Any) -> Place:
    """Where a connection of psycopg or psycopg2 goes, as libpq knows it."""
    info = connection.info
    return info.host, info.port, info.user


def login(connection: Any) -> Login:
    """How it logged in there, as libpq resolved it."""
    info = connection.info
    # psycopg's name, psycopg2's name.
    parameters = info.get_parameters() if hasattr(info, "get_parameters") else info.dsn_parameters
    if info.host.startswith("/") or parameters.get("sslmode") not in _TLS_DEMANDED:
        return info.password, info.dbname, {}
    return info.password, info.dbname, {name: parameters[name] for name in _TLS if name in parameters}


def is_closed(connection: Any) -> bool:
    """Of psycopg or psycopg2."""
    return bool(connection.closed)


def _tally_of(registry: Registry, cursor: Any) -> Tally:
    connection = cursor._conn
    pool = getattr(connection, "_pool", None)
    tally = pools.get(pool) if pool is not None else None
    # Looked at first: a weak dictionary takes longer to ask than all the rest.
    return tally or (adopted.get(connection) if adopted.data else None) or registry.loose(ENGINE)


def _text(query: Any, cursor: Any) -> str:
    if isinstance(query, str):
        return query
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    try:
        return str(query.as_string(cursor._conn))
    except Exception:  # noqa: BLE001 - a template string, or something else that is no Composable
        return repr(query)


def _run(registry: Registry, now: Callable[[], int] = time.perf_counter_ns) -> Tuple[Begin, End]:
    """A statement; a stream ends it with its first row, a copy with its block."""

    def begin(cursor: Any, query: Any) -> Any:
        if not registry.enabled or acquiring.get():
            return None
        return _tally_of(registry, cursor), cursor, query, now()

    def end(token: Any, result: Any) -> None:
        tally, cursor, query, started_ns = token
        took_ns = now() - started_ns
        tally.ran(_text(query, cursor), took_ns)

    return begin, end
