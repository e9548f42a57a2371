"""The database-test toolkit, and the embedded PostgreSQL under it.

`from tdd_monitor.testing import tdd_test_context`. Names are imported on first use: the pytest plugin of
this room is part of every run.
PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import TDDTestContext as TDDTestContext
    from .context import tdd_test_context as tdd_test_context
    from .database_manager import DatabaseManager as DatabaseManager
    from .database_manager import get_database_manager as get_database_manager
    from .database_server import DatabaseUnreachableError as DatabaseUnreachableError
    from .isolation import IsolationError as IsolationError
    from .isolation import IsolationWarning as IsolationWarning
    from .memory import MemoryGrowthWarning as MemoryGrowthWarning
    from .memory import MemoryOptimizer as MemoryOptimizer
    from .memory import MemoryRelief as MemoryRelief
    from .memory import MemorySnapshot as MemorySnapshot
    from .own_database import TDDDatabase as TDDDatabase
    from .own_database import tdd_database as tdd_database
    from .parallel import ParallelTestManager as ParallelTestManager
    from .performance import GateResult as GateResult
    from .performance import MetricSummary as MetricSummary
    from .performance import PerformanceAlert as PerformanceAlert
    from .performance import PerformanceGate as PerformanceGate
    from .performance import PerformanceMonitor as PerformanceMonitor
    from .pool_holders import PoolExhaustedError as PoolExhaustedError
    from .pools import OPTIMIZED_POOL_CONFIG as OPTIMIZED_POOL_CONFIG
    from .pools import SHARED_POOL_CONFIG as SHARED_POOL_CONFIG
    from .pools import GuardedPool as GuardedPool
    from .regression import BaselineError as BaselineError
    from .regression import RegressionCheck as RegressionCheck
    from .regression import RegressionDetector as RegressionDetector
    from .schema_cache import SchemaCache as SchemaCache
    from .schema_templates import COMMON_SCHEMA_TEMPLATES as COMMON_SCHEMA_TEMPLATES
    from .schema_templates import SchemaTemplate as SchemaTemplate
    from .schema_templates import register_schema_template as register_schema_template
    from .schemas import Schema as Schema
    from .schemas import SchemaError as SchemaError
    from .schemas import declare_schema as declare_schema
    from .schemas import schema_hash as schema_hash
    from .sqlalchemy_sessions import joined_async_session as joined_async_session
    from .sqlalchemy_sessions import joined_session as joined_session
    from .sqlalchemy_sessions import tdd_async_engine as tdd_async_engine
    from .sqlalchemy_sessions import tdd_engine as tdd_engine
    from .sync_context import TDDSyncContext as TDDSyncContext
    from .sync_context import tdd_sync_context as tdd_sync_context

_ROOMS = {
    "context": ("TDDTestContext", "tdd_test_context"),
    "database_manager": ("DatabaseManager", "get_database_manager"),
    "database_server": ("DatabaseUnreachableError",),
    "isolation": ("IsolationError", "IsolationWarning"),
    "memory": ("MemoryGrowthWarning", "MemoryOptimizer", "MemoryRelief", "MemorySnapshot"),
    "own_database": ("TDDDatabase", "tdd_database"),
    "parallel": ("ParallelTestManager",),
    "performance": (
        "GateResult",
        "MetricSummary",
        "PerformanceAlert",
        "PerformanceGate",
        "PerformanceMonitor",
    ),
    "pool_holders": ("PoolExhaustedError",),
    "pools": ("OPTIMIZED_POOL_CONFIG", "SHARED_POOL_CONFIG", "GuardedPool"),
    "regression": ("BaselineError", "RegressionCheck", "RegressionDetector"),
    "schema_cache": ("SchemaCache",),
    "schema_templates": ("COMMON_SCHEMA_TEMPLATES", "SchemaTemplate", "register_schema_template"),
    "schemas": ("Schema", "SchemaError", "declare_schema", "schema_hash"),
    "sqlalchemy_sessions": ("joined_async_session", "joined_session", "tdd_async_engine", "tdd_engine"),
    "sync_context": ("TDDSyncContext", "tdd_sync_context"),
}


def __getattr__(name: str) -> object:
    """Import what is asked for on first use."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f".{room}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
