"""Watches connection pools and queries of database drivers, without changing the user's code.

Nothing here imports a driver: hooks go in when the tests do, or at once for what is imported already.
A query counts once: asyncpg and psycopg are watched themselves, also below SQLAlchemy; for every other
driver SQLAlchemy's own events count, and without SQLAlchemy it is only noticed that they are used.
"""

import functools
from importlib import import_module
from typing import Callable, Dict

from tdd_monitor.plugin.observe import unwatched
from tdd_monitor.plugin.observe.imports import after_import
from tdd_monitor.plugin.observe.registry import Registry

# Module whose import calls for a hook: the room that has it.
DRIVERS: Dict[str, str] = {
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "psycopg_pool": "psycopg_pool",
    "sqlalchemy": "sqlalchemy",
}


def observe(on_fault: Callable[[str, BaseException], None]) -> Registry:
    """Watch every driver from its import on. A driver that cannot be watched is told to `on_fault`."""
    registry = Registry(on_fault)
    for driver, room in DRIVERS.items():
        after_import(driver, _installer(registry, driver, room, on_fault))
    for module in unwatched.DRIVERS:
        after_import(module, functools.partial(_notice, registry, module, on_fault))
    return registry


def _notice(registry: Registry, module: str, on_fault: Callable[[str, BaseException], None]) -> None:
    try:
        unwatched.install(registry, module)
    except Exception as error:
        on_fault(module, error)


def _installer(
    registry: Registry, driver: str, room: str, on_fault: Callable[[str, BaseException], None]
) -> Callable[[], None]:
    def install() -> None:
        try:
            import_module("%s.%s" % (__name__, room)).install(registry)
            registry.drivers.add(driver)
        except Exception as error:
            on_fault(driver, error)

    return install
