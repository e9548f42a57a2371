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

# Module whose import calls for hooks: our module that has them.
DRIVERS: Dict[str, str] = {
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "psycopg_pool": "psycopg_pool",
    "sqlalchemy": "sqlalchemy",
}


def observe(on_notice: Callable[[str], None]) -> Registry:
    """Watch every driver from its import on; `on_notice` reports, once per driver, what cannot be watched."""
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
