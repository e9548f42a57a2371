"""SQLAlchemy engines and sessions inside the transaction of a context; commits are undone with the test.

One engine of each kind serves the whole process, so tests share SQLAlchemy's compiled statements; its
connections join the context that is open where they are requested.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from .async_context import current_context

try:
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import NullPool
except ImportError as error:
    raise ImportError("This needs SQLAlchemy 2: pip install 'sqlalchemy[asyncio]>=2'") from error

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession


class _Joined:
    """An asyncpg connection that SQLAlchemy may close without closing it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def close(self, **_: Any) -> None:
        """Release only."""

    def terminate(self) -> None:
        """Release only."""


@cache
def tdd_async_engine() -> "AsyncEngine":
    """Return the engine (postgresql+asyncpg) whose connections are savepoints in `tdd_test_context`.

    Pass it to the code under test as its engine; the code may begin, commit and roll back freely.
    """
    from sqlalchemy.ext.asyncio import create_async_engine  # needs greenlet, unlike plain sessions

    async def join() -> Any:
        context = current_context()
        if context is None:
            raise RuntimeError("No tdd_test_context is open here for this engine to join.")
        return _Joined(context.connection)

    return create_async_engine("postgresql+asyncpg://", async_creator=join, poolclass=NullPool)


@cache
def tdd_engine() -> "Engine":
    """Return the engine (postgresql+psycopg) whose connections are savepoints in `tdd_sync_context`."""
    from .sync_context import current_sync_context

    def join() -> Any:
        context = current_sync_context()
        if context is None:
            raise RuntimeError("No tdd_sync_context is open here for this engine to join.")
        return context.join()

    return create_engine("postgresql+psycopg://", creator=join, poolclass=NullPool)


@asynccontextmanager
async def joined_async_session(**options: Any) -> AsyncIterator["AsyncSession"]:
    """Open a session in the transaction of `tdd_test_context`; its commits are undone with the test."""
    from sqlalchemy.ext.asyncio import AsyncSession

    async with tdd_async_engine().connect() as connection:
        await connection.begin()
        async with AsyncSession(
            bind=connection,
            **{"join_transaction_mode": "create_savepoint", "expire_on_commit": False, **options},
        ) as session:
            yield session


@contextmanager
def joined_session(**options: Any) -> Iterator["Session"]:
    """Open a session in the transaction of `tdd_sync_context`; its commits are undone with the test."""
    with tdd_engine().connect() as connection:
        connection.begin()
        with Session(bind=connection, **{"join_transaction_mode": "create_savepoint", **options}) as session:
            yield session
