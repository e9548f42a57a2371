"""Observes the connection pools and queries of database drivers, without changes to the user's code.

Nothing here imports a driver: hooks are installed when the tests import it, or at once if it is already
imported. Each query counts once: asyncpg and psycopg are hooked directly, including below SQLAlchemy.
For other drivers SQLAlchemy's events count; without SQLAlchemy only the use of the driver is noted.
"""

import functools
from importlib import import_module
from typing import Callable, Dict

from tdd_monitor.plugin.observe import unwatched
from tdd_monitor.plugin.observe.imports import after_import
from tdd_monitor.plugin.observe.registry import Registry

# Driver module: our module with its hooks.
DRIVERS: Dict[str, str] = {
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "psycopg_pool": "psycopg_pool",
    "sqlalchemy": "sqlalchemy",
}


def observe(on_notice: Callable[[str], None]) -> Registry:
    """Hook every driver on import; `on_notice` is called once per driver that cannot be fully measured."""
    registry = Registry(on_notice)
    for driver, module in DRIVERS.items():
        after_import(driver, functools.partial(_install, registry, driver, module))
    for module in unwatched.DRIVERS:
        after_import(module, functools.partial(_notice, registry, module))
    return registry


def _install(registry: Registry, driver: str, module: str) -> None:
    try:
        import_module("%s.%s" % (__name__, module)).install(registry)
    except Exception as error:  # noqa: BLE001 - unknown driver internals
        registry.fault(driver, error)


def _notice(registry: Registry, module: str) -> None:
    try:
        unwatched.install(registry, module)
    except Exception as error:  # noqa: BLE001 - unknown driver internals
        registry.fault(module, error)
