"""The database-test toolkit, and the embedded PostgreSQL under it.

`from tdd_monitor.testing import tdd_test_context`. Names are imported on first use: the pytest plugin of
this room is part of every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import TDDTestContext as TDDTestContext
    from .context import tdd_test_context as tdd_test_context
    from .database_manager import DatabaseManager as DatabaseManager
    from .database_manager import get_database_manager as get_database_manager
    from .isolation import IsolationError as IsolationError
    from .isolation import IsolationWarning as IsolationWarning
    from .own_database import TDDDatabase as TDDDatabase
    from .own_database import tdd_database as tdd_database
    from .pool_holders import PoolExhaustedError as PoolExhaustedError
    from .pools import OPTIMIZED_POOL_CONFIG as OPTIMIZED_POOL_CONFIG
    from .pools import SHARED_POOL_CONFIG as SHARED_POOL_CONFIG
    from .pools import GuardedPool as GuardedPool
    from .schema_cache import SchemaCache as SchemaCache
    from .schemas import Schema as Schema
    from .schemas import SchemaError as SchemaError
    from .schemas import declare_schema as declare_schema
    from .schemas import schema_hash as schema_hash

_ROOMS = {
    "context": ("TDDTestContext", "tdd_test_context"),
    "database_manager": ("DatabaseManager", "get_database_manager"),
    "isolation": ("IsolationError", "IsolationWarning"),
    "own_database": ("TDDDatabase", "tdd_database"),
    "pool_holders": ("PoolExhaustedError",),
    "pools": ("OPTIMIZED_POOL_CONFIG", "SHARED_POOL_CONFIG", "GuardedPool"),
    "schema_cache": ("SchemaCache",),
    "schemas": ("Schema", "SchemaError", "declare_schema", "schema_hash"),
}


def __getattr__(name: str) -> object:
    """Import what is asked for on first use."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f".{room}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
