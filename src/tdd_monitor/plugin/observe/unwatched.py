"""Drivers whose queries are not counted: a test's number of queries is then unknown, not zero.

Once the tests (or the code under test) connect with such a driver, any later test in the process may use it,
so no count is known. An import alone means nothing, nor does a connection by a library: coverage and
others use sqlite3 themselves. SQLAlchemy's connections are counted by its hooks.
"""

import sys
from typing import TYPE_CHECKING, Any, Dict, Iterator, Tuple

if TYPE_CHECKING:
    from tdd_monitor.plugin.observe.registry import Registry
    from tdd_monitor.plugin.observe.wrapping import Begin, End

# Module: driver and callable that connects. For sqlite3 the submodule, from which others import it.
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
# Callers other than the tests: measured themselves, with data of their own, or built on another driver.
_NOT_TESTS = ("sqlalchemy", "coverage", "testmon", "aiosqlite", "aiomysql", "aiopg")


def install(registry: "Registry", module: str) -> None:
    """Watch for connections of an imported driver."""
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
        registry.note_unwatched(driver)  # unknown internals: assume that it is used
        return
    for holder, alias in list(_aliases(module, original)):
        setattr(holder, alias, getattr(owner, name))


def _aliases(module: str, original: Any) -> Iterator[Tuple[Any, str]]:
    """Other names of the same function, in its module and in the package that imports it from there."""
    for name in (module, module.partition(".")[0]):
        holder = sys.modules.get(name)
        for alias, value in list(vars(holder).items()) if holder is not None else ():
            if value is original:
                yield holder, alias


def _connecting(registry: "Registry", driver: str) -> "Tuple[Begin, End]":
    package = driver.partition(".")[0]

    def begin(first: Any, second: Any) -> Any:
        return driver if registry.enabled and _called_by_tests(sys._getframe(2), package) else None

    def end(driver: Any, connection: Any) -> None:
        registry.note_unwatched(driver)

    return begin, end


def _called_by_tests(frame: Any, driver: str) -> bool:
    """Whether the caller of the driver is the tests or their code."""
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package != driver:
            return package not in _NOT_TESTS
        frame = frame.f_back
    return True
