"""Fixtures for synchronous tests (psycopg) and for SQLAlchemy; the libraries are imported on first use.

PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""

import contextlib
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.orm import Session

    from tdd_monitor.testing.contexts.async_context import TDDTestContext
    from tdd_monitor.testing.contexts.sync_context import TDDSyncContext


def _importing(module: str) -> AbstractContextManager[None]:
    """Count a slow first import as shared work, not as the work of the test that triggers it."""
    if f"tdd_monitor.testing.{module}" in sys.modules:
        return contextlib.nullcontext()
    from tdd_monitor.plugin import shared_work
    from tdd_monitor.testing.databases.by_schema import FOR_ALL_TESTS

    return shared_work(FOR_ALL_TESTS)


@pytest.fixture
def tdd_sync_context(
    request: pytest.FixtureRequest, tdd_schema: Any
) -> "Generator[TDDSyncContext, None, None]":
    """A warm psycopg connection in a transaction that is rolled back: `tdd_sync_context.connection`."""
    with _importing("contexts.sync_context"):
        from tdd_monitor.testing.contexts.sync_context import TDDSyncContext

    with TDDSyncContext(request.node.nodeid, tdd_schema) as context:
        request.node.user_properties.append(("database", context.path))
        yield context


@pytest.fixture
def tdd_async_engine(tdd_test_context: "TDDTestContext") -> "AsyncEngine":
    """An engine for code under test; all its connections are inside `tdd_test_context`."""
    with _importing("contexts.sqlalchemy"):
        from tdd_monitor.testing.contexts.sqlalchemy import tdd_async_engine

    return tdd_async_engine()


@pytest.fixture
def tdd_engine(tdd_sync_context: "TDDSyncContext") -> "Engine":
    """An engine for code under test; all its connections are inside `tdd_sync_context`."""
    with _importing("contexts.sqlalchemy"):
        from tdd_monitor.testing.contexts.sqlalchemy import tdd_engine

    return tdd_engine()


@pytest.fixture
def tdd_session(tdd_sync_context: "TDDSyncContext") -> "Generator[Session, None, None]":
    """A session inside `tdd_sync_context`, which may commit."""
    with _importing("contexts.sqlalchemy"):
        from tdd_monitor.testing.contexts.sqlalchemy import joined_session

    with joined_session() as session:
        yield session
