"""Drivers whose queries are not counted: what a test did with them is unknown, not zero.

The rule: from the first connection that the tests (or their code) make with such a driver, until the end
of the process, any test may use it, so no test's count is known. That it was imported says nothing: coverage
and others import sqlite3 for themselves, and what they connect does not count either. What SQLAlchemy
connects is counted by SQLAlchemy's hooks.
"""

import sys
from typing import TYPE_CHECKING, Any, Dict, Iterator, Tuple

if TYPE_CHECKING:
    from tdd_monitor.plugin.observe.registry import Registry
    from tdd_monitor.plugin.observe.wrapping import Begin, End

# Module: driver, and what is called to connect. Below SQLite's package: others take it from there.
DRIVERS: Dict[str, Tuple[str, str]] = {
    "psycopg2": ("psycopg2", "connect"),
    "sqlite3.dbapi2": ("sqlite3", "connect"),
    "aiosqlite.core": ("aiosqlite", "Connection.__init__"),
    "MySQLdb": ("MySQLdb", "Connect"),
    "pymysql.connections": ("pymysql", "Connection.__init__"),
    "aiomysql.connection": ("aiomysql", "Connection.__init__"),
    "mysql.connector": ("mysql.connector", "connect"),
    "pg8000.core": ("pg8000", "CoreConnection.__init__"),
    "oracledb": ("oracledb", "connect"),
    "pyodbc": ("pyodbc", "connect"),
    "duckdb": ("duckdb", "connect"),
}
# Not the tests: who counts for himself, who keeps his own data, and drivers built on another driver.
_OTHERS = ("sqlalchemy", "coverage", "testmon", "aiosqlite", "aiomysql", "aiopg")


def install(registry: "Registry", module: str) -> None:
    """Notice the connections of a driver, which is imported."""
    from tdd_monitor.plugin.observe.wrapping import wrap

    driver, path = DRIVERS[module]
    owner: Any = sys.modules[module]
    *holders, name = path.split(".")
    try:
        for holder in holders:
            owner = getattr(owner, holder)
        original = getattr(owner, name)
        wrap(owner, name, registry.hooks(driver)(*_connecting(registry, driver)))
    except (AttributeError, TypeError):
        registry.note_unwatched(driver)  # unknown driver internals: better too early than never
        return
    for holder, alias in list(_aliases(module, original)):
        setattr(holder, alias, getattr(owner, name))


def _aliases(module: str, original: Any) -> Iterator[Tuple[Any, str]]:
    """Where else the same function is: in its module and in the package that has it from there."""
    for name in (module, module.partition(".")[0]):
        holder = sys.modules.get(name)
        for alias, value in list(vars(holder).items()) if holder is not None else ():
            if value is original:
                yield holder, alias


def _connecting(registry: "Registry", driver: str) -> "Tuple[Begin, End]":
    package = driver.partition(".")[0]

    def begin(first: Any, second: Any) -> Any:
        return driver if registry.enabled and _by_the_tests(sys._getframe(2), package) else None

    def end(driver: Any, connection: Any) -> None:
        registry.note_unwatched(driver)

    return begin, end


def _by_the_tests(frame: Any, driver: str) -> bool:
    """Whoever called the driver decides."""
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package != driver:
            return package not in _OTHERS
        frame = frame.f_back
    return True
