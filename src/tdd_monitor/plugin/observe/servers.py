"""Tracks the PostgreSQL servers that the tests connect to, and how many connections they hold.

Each server is reported once. The monitor queries their total connections; nothing here sends a query.
"""

import contextlib
import threading
import weakref
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from tdd_monitor.protocol.events import HeldConnections, ServerSeen
from tdd_monitor.protocol.servers import server_name

Endpoint = Tuple[str, int, str]  # host (or directory of the Unix socket), port, user
Login = Tuple[Any, str, Dict[str, str]]  # password, database, TLS parameters

MAX_ENDPOINTS = 20  # a suite may create a role per test


class _Held:
    """Open connections to one server, according to their driver."""

    __slots__ = ("open", "peak")

    def __init__(self) -> None:
        self.open: List[Tuple[Any, Callable[[Any], bool]]] = []
        self.peak = 0

    def count(self) -> int:
        """Count the open connections and drop the rest, which bounds the list by the server's limit."""
        alive = []
        for reference, is_closed in self.open:
            connection = reference()
            if connection is not None and not is_closed(connection):
                alive.append((reference, is_closed))
        self.open = alive
        return len(alive)


class Servers:
    """Remembers servers, and reports each once as soon as `report_to` was called."""

    def __init__(self) -> None:
        self._seen: Set[Endpoint] = set()
        self._pending: List[ServerSeen] = []
        self._emit: Optional[Callable[[ServerSeen], None]] = None
        self._held: Dict[str, _Held] = {}
        self._lock = threading.RLock()

    def report_to(self, emit: Callable[[ServerSeen], None]) -> None:
        """Report to `emit` from now on, starting with the servers seen so far."""
        self._emit = emit
        self._report()

    def connected(
        self,
        connection: Any,
        endpoint_of: Callable[[Any], Endpoint],
        login_of: Callable[[Any], Login],
        is_closed: Callable[[Any], bool],
    ) -> None:
        """Record a new connection. Never raises; takes some microseconds for a known endpoint."""
        with contextlib.suppress(Exception):  # unknown driver internals
            endpoint = endpoint_of(connection)
            if endpoint not in self._seen and len(self._seen) < MAX_ENDPOINTS:
                self._seen.add(endpoint)
                url = server_url(endpoint, login_of(connection))
                self._pending.append(ServerSeen(url, _superuser(connection)))
                self._report()
            self._hold(endpoint, connection, is_closed)

    def _hold(self, endpoint: Endpoint, connection: Any, is_closed: Callable[[Any], bool]) -> None:
        name = server_name(endpoint[0].lower() if endpoint[0][:1] != "/" else endpoint[0], endpoint[1])
        with self._lock:
            held = self._held.get(name)
            if held is None:
                if len(self._held) >= MAX_ENDPOINTS:
                    return
                held = self._held[name] = _Held()
            held.open.append((weakref.ref(connection), is_closed))
            held.peak = max(held.peak, held.count())

    def held(self) -> Tuple[HeldConnections, ...]:
        """Connections to each server: open now, and the peak."""
        if not self._held:
            return ()
        with self._lock:
            return tuple(
                [HeldConnections(name, held.count(), held.peak) for name, held in self._held.items()]
            )

    def _report(self) -> None:
        if self._emit is not None:
            pending, self._pending = self._pending, []
            for seen in pending:
                self._emit(seen)


def _superuser(connection: Any) -> bool:
    """Whether the server reported a superuser on connect; False if unknown."""
    if hasattr(connection, "get_settings"):  # asyncpg
        return bool(connection.get_settings().is_superuser == "on")
    info: Any = getattr(connection, "info", None)
    return hasattr(info, "parameter_status") and info.parameter_status("is_superuser") == "on"


def server_url(endpoint: Endpoint, login: Login) -> str:
    """Return a URL with which asyncpg and libpq reach the same server with the same login."""
    from urllib.parse import quote, urlencode  # not at start-up: most suites never need it

    host, port, user = endpoint
    password, database, parameters = login
    userinfo = quote(user, safe="")
    if password and isinstance(password, str):  # asyncpg also accepts a function, which only it may call
        userinfo += ":" + quote(password, safe="")
    if host.startswith("/"):
        netloc, parameters = "", dict(parameters, host=host, port=str(port))
    else:
        netloc = "%s:%d" % ("[%s]" % host if ":" in host else host, port)
    query = "?" + urlencode(parameters, safe="/", quote_via=quote) if parameters else ""
    return "postgresql://%s@%s/%s%s" % (userinfo, netloc, quote(database, safe=""), query)
