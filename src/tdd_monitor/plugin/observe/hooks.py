"""Hooks common to several drivers."""

from typing import Any, Callable, Tuple

from tdd_monitor.plugin.observe.registry import Registry
from tdd_monitor.plugin.observe.servers import Endpoint, Login
from tdd_monitor.plugin.observe.wrapping import Begin, End


def connecting(
    registry: Registry,
    endpoint_of: Callable[[Any], Endpoint],
    login_of: Callable[[Any], Login],
    is_closed: Callable[[Any], bool],
) -> Tuple[Begin, End]:
    """Hooks for the `__init__` of a driver's connections, which runs once the server has accepted them."""

    def begin(connection: Any, _: Any) -> Any:
        return connection if registry.enabled else None

    def end(connection: Any, _: Any) -> None:
        registry.servers.connected(connection, endpoint_of, login_of, is_closed)

    return begin, end
