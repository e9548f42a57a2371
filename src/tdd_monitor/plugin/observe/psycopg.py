"""Hooks for psycopg 3: whatever its cursors run, sync and async, and whoever connects."""

import contextlib
import functools
import itertools
import time
import weakref
from typing import Any, AsyncIterator, Callable, Iterator

from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.servers import Login, Place, announcing
from tdd_monitor.plugin.observe.tally import Tally, acquiring

ENGINE = "psycopg"
_TLS_DEMANDED = ("require", "verify-ca", "verify-full")
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")

# Pools by identity of their kind: psycopg_pool's tallies, and connections that SQLAlchemy has taken over.
pools: "weakref.WeakKeyDictionary[Any, Tally]" = weakref.WeakKeyDictionary()
adopted: "weakref.WeakKeyDictionary[Any, Tally]" = weakref.WeakKeyDictionary()


def install(registry: Registry) -> None:
    """Wrap the cursors of psycopg, which is imported; server-side cursors have methods of their own."""
    import psycopg

    for connection in (psycopg.Connection, psycopg.AsyncConnection):
        _wrap(connection, "__init__", functools.partial(announcing, registry, place, login))
    for name in ("execute", "executemany"):
        for owner in (psycopg.Cursor, psycopg.ServerCursor):
            _wrap(owner, name, functools.partial(_run, registry))
        for async_owner in (psycopg.AsyncCursor, psycopg.AsyncServerCursor):
            _wrap(async_owner, name, functools.partial(_run_async, registry))
    _wrap(psycopg.Cursor, "stream", functools.partial(_stream, registry))
    _wrap(psycopg.AsyncCursor, "stream", functools.partial(_stream_async, registry))
    _wrap(psycopg.Cursor, "copy", functools.partial(_copy, registry))
    _wrap(psycopg.AsyncCursor, "copy", functools.partial(_copy_async, registry))


def _wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    method = owner.__dict__.get(name)
    if method is not None:
        setattr(owner, name, functools.wraps(method)(make(method)))


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


def _tally_of(registry: Registry, cursor: Any) -> Tally:
    connection = cursor._conn
    pool = getattr(connection, "_pool", None)
    tally = pools.get(pool) if pool is not None else None
    return tally or adopted.get(connection) or registry.loose(ENGINE)


def _text(query: Any, cursor: Any) -> str:
    if isinstance(query, str):
        return query
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    try:
        return str(query.as_string(cursor._conn))
    except Exception:  # a template string, or something else that is no Composable
        return repr(query)


class _Timed:
    """Times what is inside, unless nobody wants to know."""

    __slots__ = ("_now", "_query", "_self", "_started_ns", "_tally")

    def __init__(
        self, registry: Registry, cursor: Any, query: Any, now: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        wanted = registry.enabled and not acquiring.get()
        self._tally = _tally_of(registry, cursor) if wanted else None
        self._self, self._query, self._now = cursor, query, now

    def __enter__(self) -> None:
        self._started_ns = self._now()

    def __exit__(self, *exc_info: object) -> None:
        if self._tally is not None:
            took_ns = self._now() - self._started_ns
            self._tally.ran(_text(self._query, self._self), took_ns)


def _run(registry: Registry, method: Any) -> Any:
    def run(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        with _Timed(registry, self, query):
            return method(self, query, *args, **kwargs)

    return run


def _run_async(registry: Registry, method: Any) -> Any:
    async def run(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        with _Timed(registry, self, query):
            return await method(self, query, *args, **kwargs)

    return run


def _stream(registry: Registry, method: Any) -> Any:
    def stream(self: Any, query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        rows = iter(method(self, query, *args, **kwargs))
        with _Timed(registry, self, query):  # until the first row: the others come as they are asked for
            first = list(itertools.islice(rows, 1))
        yield from first
        yield from rows

    return stream


def _stream_async(registry: Registry, method: Any) -> Any:
    async def stream(self: Any, query: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        rows = method(self, query, *args, **kwargs)
        found = False
        with _Timed(registry, self, query), contextlib.suppress(StopAsyncIteration):
            first = await rows.__anext__()
            found = True
        if found:
            yield first
        async for row in rows:
            yield row

    return stream


def _copy(registry: Registry, method: Any) -> Any:
    @contextlib.contextmanager
    def copy(self: Any, statement: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        with _Timed(registry, self, statement), method(self, statement, *args, **kwargs) as copying:
            yield copying

    return copy


def _copy_async(registry: Registry, method: Any) -> Any:
    @contextlib.asynccontextmanager
    async def copy(self: Any, statement: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        with _Timed(registry, self, statement):
            async with method(self, statement, *args, **kwargs) as copying:
                yield copying

    return copy
