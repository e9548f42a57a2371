"""Which PostgreSQL servers the tests connect to, reported once each, and how many connections they hold.

The monitor asks them how many connections they have; nothing here sends a query.
"""

import contextlib
import threading
import weakref
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from tdd_monitor.protocol.events import HeldConnections, ServerSeen
from tdd_monitor.protocol.servers import server_name

Place = Tuple[str, int, str]  # host (or the directory of the Unix socket), port, user
Login = Tuple[Any, str, Dict[str, str]]  # password, database, parameters of TLS

MAX_PLACES = 20  # suites that create a role per test would otherwise report each


class _Held:
    """Connections to one server that are open, as far as their driver knows."""

    __slots__ = ("open", "peak")

    def __init__(self) -> None:
        self.open: List[Tuple[Any, Callable[[Any], bool]]] = []
        self.peak = 0

    def count(self) -> int:
        """How many. It forgets the others: so they are never many more than the server allows."""
        alive = []
        for reference, is_closed in self.open:
            connection = reference()
            if connection is not None and not is_closed(connection):
                alive.append((reference, is_closed))
        self.open = alive
        return len(alive)


class Servers:
    """Remembers the servers seen, and reports each once, as soon as there is a listener."""

    def __init__(self) -> None:
        self._seen: Set[Place] = set()
        self._untold: List[ServerSeen] = []
        self._emit: Optional[Callable[[ServerSeen], None]] = None
        self._held: Dict[str, _Held] = {}
        self._lock = threading.RLock()

    def tell(self, emit: Callable[[ServerSeen], None]) -> None:
        """Report to `emit` from now on; servers seen earlier come first."""
        self._emit = emit
        self._hand_over()

    def connected(
        self,
        connection: Any,
        place_of: Callable[[Any], Place],
        login_of: Callable[[Any], Login],
        is_closed: Callable[[Any], bool],
    ) -> None:
        """A connection was made. Never raises; a place that is known costs some microseconds."""
        with contextlib.suppress(Exception):  # unknown driver internals
            place = place_of(connection)
            if place not in self._seen and len(self._seen) < MAX_PLACES:
                self._seen.add(place)
                url = server_url(place, login_of(connection))
                self._untold.append(ServerSeen(url, _superuser(connection)))
                self._hand_over()
            self._hold(place, connection, is_closed)

    def _hold(self, place: Place, connection: Any, is_closed: Callable[[Any], bool]) -> None:
        name = server_name(place[0].lower() if place[0][:1] != "/" else place[0], place[1])
        with self._lock:
            held = self._held.get(name)
            if held is None:
                if len(self._held) >= MAX_PLACES:
                    return
                held = self._held[name] = _Held()
            held.open.append((weakref.ref(connection), is_closed))
            held.peak = max(held.peak, held.count())

    def held(self) -> Tuple[HeldConnections, ...]:
        """How many connections to each server are open now, and were at once."""
        if not self._held:
            return ()
        with self._lock:
            return tuple(
                [HeldConnections(name, held.count(), held.peak) for name, held in self._held.items()]
            )

    def _hand_over(self) -> None:
        if self._emit is not None:
            untold, self._untold = self._untold, []
            for seen in untold:
                self._emit(seen)


def _superuser(connection: Any) -> bool:
    """What the server reported when it let the connection in; False when that is not known."""
    if hasattr(connection, "get_settings"):  # asyncpg
        return bool(connection.get_settings().is_superuser == "on")
    info: Any = getattr(connection, "info", None)
    return hasattr(info, "parameter_status") and info.parameter_status("is_superuser") == "on"


def server_url(place: Place, login: Login) -> str:
    """The URL by which asyncpg and libpq find the same server, with the same rights."""
    from urllib.parse import quote, urlencode  # most suites never get here, and start-up counts

    host, port, user = place
    password, database, parameters = login
    who = quote(user, safe="")
    if password and isinstance(password, str):  # asyncpg also takes a function, which only it may call
        who += ":" + quote(password, safe="")
    if host.startswith("/"):
        where, parameters = "", dict(parameters, host=host, port=str(port))
    else:
        where = "%s:%d" % ("[%s]" % host if ":" in host else host, port)
    query = "?" + urlencode(parameters, safe="/", quote_via=quote) if parameters else ""
    return "postgresql://%s@%s/%s%s" % (who, where, quote(database, safe=""), query)
