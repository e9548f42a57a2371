"""Hooks that drivers have in common."""

from typing import Any, Callable, Tuple

from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.servers import Login, Place
from tdd_monitor.plugin.observe.wrapping import Begin, End


def announcing(
    registry: Registry,
    place_of: Callable[[Any], Place],
    login_of: Callable[[Any], Login],
    is_closed: Callable[[Any], bool],
) -> Tuple[Begin, End]:
    """Around the `__init__` of a driver's connections, which are made when the server has let them in."""

    def begin(connection: Any, _: Any) -> Any:
        return connection if registry.enabled else None

    def end(connection: Any, _: Any) -> None:
        registry.servers.connected(connection, place_of, login_of, is_closed)

    return begin, end
