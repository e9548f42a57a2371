"""The database-test toolkit, and the embedded PostgreSQL under it.

`from tdd_monitor.testing import tdd_test_context`. Names are imported on first use: the pytest plugin of
this package is part of every run.
PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .benchmark.benchmark import TDDPerformanceBenchmark as TDDPerformanceBenchmark
    from .benchmark.comprehensive import run_comprehensive_benchmark as run_comprehensive_benchmark
    from .benchmark.comprehensive import validate_performance_gate as validate_performance_gate
    from .benchmark.report import EXPECTED_PERFORMANCE_RESULTS as EXPECTED_PERFORMANCE_RESULTS
    from .benchmark.report import OperationStatistics as OperationStatistics
    from .benchmark.report import ParallelExecution as ParallelExecution
    from .benchmark.report import PerformanceReport as PerformanceReport
    from .benchmark.report import ReportSummary as ReportSummary
    from .connections.isolation import IsolationError as IsolationError
    from .connections.isolation import IsolationWarning as IsolationWarning
    from .contexts.async_context import TDDTestContext as TDDTestContext
    from .contexts.async_context import tdd_test_context as tdd_test_context
    from .contexts.manager import DatabaseManager as DatabaseManager
    from .contexts.manager import get_database_manager as get_database_manager
    from .contexts.own_database import TDDDatabase as TDDDatabase
    from .contexts.own_database import tdd_database as tdd_database
    from .contexts.sqlalchemy import joined_async_session as joined_async_session
    from .contexts.sqlalchemy import joined_session as joined_session
    from .contexts.sqlalchemy import tdd_async_engine as tdd_async_engine
    from .contexts.sqlalchemy import tdd_engine as tdd_engine
    from .contexts.sync_context import TDDSyncContext as TDDSyncContext
    from .contexts.sync_context import tdd_sync_context as tdd_sync_context
    from .databases.server import DatabaseUnreachableError as DatabaseUnreachableError
    from .measuring.baseline_file import BaselineError as BaselineError
    from .measuring.memory import MemoryGrowthWarning as MemoryGrowthWarning
    from .measuring.memory import MemoryOptimizer as MemoryOptimizer
    from .measuring.memory import MemoryRelief as MemoryRelief
    from .measuring.memory import MemorySnapshot as MemorySnapshot
    from .measuring.parallel import ParallelTestManager as ParallelTestManager
    from .measuring.performance import GateResult as GateResult
    from .measuring.performance import MetricEntry as MetricEntry
    from .measuring.performance import MetricSummary as MetricSummary
    from .measuring.performance import PerformanceAlert as PerformanceAlert
    from .measuring.performance import PerformanceGate as PerformanceGate
    from .measuring.performance import PerformanceMonitor as PerformanceMonitor
    from .measuring.performance import PerformanceWarning as PerformanceWarning
    from .measuring.regression import RegressionCheck as RegressionCheck
    from .measuring.regression import RegressionDetector as RegressionDetector
    from .pools.guarded import OPTIMIZED_POOL_CONFIG as OPTIMIZED_POOL_CONFIG
    from .pools.guarded import SHARED_POOL_CONFIG as SHARED_POOL_CONFIG
    from .pools.guarded import GuardedPool as GuardedPool
    from .pools.holders import PoolExhaustedError as PoolExhaustedError
    from .schema.cache import SchemaCache as SchemaCache
    from .schema.cache import SchemaCacheStats as SchemaCacheStats
    from .schema.declare import Schema as Schema
    from .schema.declare import SchemaError as SchemaError
    from .schema.declare import declare_schema as declare_schema
    from .schema.declare import schema_hash as schema_hash
    from .schema.templates import COMMON_SCHEMA_TEMPLATES as COMMON_SCHEMA_TEMPLATES
    from .schema.templates import SchemaTemplate as SchemaTemplate
    from .schema.templates import register_schema_template as register_schema_template

# The same names at run time; a test checks that both agree.
_NAMES = {
    "benchmark.benchmark": ("TDDPerformanceBenchmark",),
    "benchmark.comprehensive": ("run_comprehensive_benchmark", "validate_performance_gate"),
    "benchmark.report": (
        "EXPECTED_PERFORMANCE_RESULTS",
        "OperationStatistics",
        "ParallelExecution",
        "PerformanceReport",
        "ReportSummary",
    ),
    "connections.isolation": ("IsolationError", "IsolationWarning"),
    "contexts.async_context": ("TDDTestContext", "tdd_test_context"),
    "contexts.manager": ("DatabaseManager", "get_database_manager"),
    "contexts.own_database": ("TDDDatabase", "tdd_database"),
    "contexts.sqlalchemy": ("joined_async_session", "joined_session", "tdd_async_engine", "tdd_engine"),
    "contexts.sync_context": ("TDDSyncContext", "tdd_sync_context"),
    "databases.server": ("DatabaseUnreachableError",),
    "measuring.memory": ("MemoryGrowthWarning", "MemoryOptimizer", "MemoryRelief", "MemorySnapshot"),
    "measuring.parallel": ("ParallelTestManager",),
    "measuring.performance": (
        "GateResult",
        "MetricEntry",
        "MetricSummary",
        "PerformanceAlert",
        "PerformanceGate",
        "PerformanceMonitor",
        "PerformanceWarning",
    ),
    "measuring.baseline_file": ("BaselineError",),
    "measuring.regression": ("RegressionCheck", "RegressionDetector"),
    "pools.guarded": ("OPTIMIZED_POOL_CONFIG", "SHARED_POOL_CONFIG", "GuardedPool"),
    "pools.holders": ("PoolExhaustedError",),
    "schema.cache": ("SchemaCache", "SchemaCacheStats"),
    "schema.declare": ("Schema", "SchemaError", "declare_schema", "schema_hash"),
    "schema.templates": ("COMMON_SCHEMA_TEMPLATES", "SchemaTemplate", "register_schema_template"),
}
# Modules that need an optional package.
_OPTIONAL = {"contexts.sqlalchemy": "sqlalchemy", "contexts.sync_context": "psycopg"}


def __dir__() -> list[str]:
    """The public names that can be imported here, for completion and `help`."""
    from importlib.util import find_spec

    missing = {module for module, needed in _OPTIONAL.items() if find_spec(needed) is None}
    return sorted(name for module, names in _NAMES.items() if module not in missing for name in names)


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    for module, names in _NAMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    if name == "__all__":
        return __dir__()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
