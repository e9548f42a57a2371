"""Which PostgreSQL servers the tests connect to, told once each.

The monitor asks them how many connections they have; nothing here sends a query.
"""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Set, Tuple

from tdd_monitor.protocol.events import ServerSeen

if TYPE_CHECKING:
    from tdd_monitor.plugin.observe.registry import Registry
    from tdd_monitor.plugin.observe.wrapping import Begin, End

Place = Tuple[str, int, str]  # host (or the directory of the Unix socket), port, user
Login = Tuple[Any, str, Dict[str, str]]  # password, database, parameters of TLS

MAX_PLACES = 20  # suites that make a role a test would otherwise tell of each


class Servers:
    """Remembers the places that were seen, and tells of each once, as soon as somebody listens."""

    def __init__(self) -> None:
        self._seen: Set[Place] = set()
        self._untold: List[ServerSeen] = []
        self._emit: Optional[Callable[[ServerSeen], None]] = None

    def tell(self, emit: Callable[[ServerSeen], None]) -> None:
        """From now on tell `emit`; what was seen before comes first."""
        self._emit = emit
        self._hand_over()

    def connected(
        self, connection: Any, place_of: Callable[[Any], Place], login_of: Callable[[Any], Login]
    ) -> None:
        """A connection was made. Never raises; a place that is known costs about a microsecond."""
        try:
            place = place_of(connection)
            if place in self._seen or len(self._seen) >= MAX_PLACES:
                return
            self._seen.add(place)
            self._untold.append(ServerSeen(server_url(place, login_of(connection)), _superuser(connection)))
            self._hand_over()
        except Exception:  # a driver with other insides than we know: then its server is not counted
            return

    def _hand_over(self) -> None:
        if self._emit is not None:
            untold, self._untold = self._untold, []
            for seen in untold:
                self._emit(seen)


def announcing(
    registry: "Registry", place_of: Callable[[Any], Place], login_of: Callable[[Any], Login]
) -> "Tuple[Begin, End]":
    """Around the `__init__` of a driver's connections, which are made when the server has let them in."""

    def begin(connection: Any, _: Any) -> Any:
        return connection if registry.enabled else None

    def end(connection: Any, _: Any) -> None:
        registry.servers.connected(connection, place_of, login_of)

    return begin, end


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
