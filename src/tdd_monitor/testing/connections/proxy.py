"""What a test holds as `context.connection`: the warm connection, for as long as the test lasts.

A task that a test did not await lives on, still holding the connection, while the next test works on
the same one. So each test gets its own object, which is unusable after the test, as are the
statements, cursors and transactions created with it. Modelled on asyncpg's `PoolConnectionProxy`.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import asyncpg

from .asyncpg_internals import ProxyBase


class Lease:
    """The time for which one test has a connection.

    asyncpg's statements, cursors and transactions record the connection's `_pool_release_ctr` when they are
    created, and compare it at every use: with a lease in its place, they detect whose lease has expired.
    """

    def __init__(self, test_id: str) -> None:
        self.test_id = test_id

    def __ne__(self, noted: object) -> bool:
        if isinstance(noted, Lease) and noted is not self:
            raise noted.expired("a statement, cursor or transaction")
        return noted is not self

    __hash__ = object.__hash__

    def expired(self, used: str) -> asyncpg.InterfaceError:
        """Return the error for a use of the connection after its test."""
        return asyncpg.InterfaceError(expired_text(self.test_id, used))


def expired_text(test_id: str, used: str) -> str:
    """Return the text for a use of the connection after its test."""
    return (
        f"{test_id} has ended, and its connection with it, but {used} of it was used afterwards: by a task,"
        " thread or callback that the test left running, or by an object that outlived the test. Wait for"
        " everything that the test starts, or cancel it."
    )


class ConnectionProxy(ProxyBase):  # type: ignore[misc]
    """An asyncpg connection for one test; `isinstance(connection, asyncpg.Connection)` holds."""

    _con: Any

    def __init__(self, connection: Any, lease: Lease) -> None:
        self._con = connection
        self._lease = lease

    @property
    def is_detached(self) -> bool:
        """Whether the test has ended."""
        return self._con is None

    def detach(self) -> None:
        """Reject all further use."""
        self._con = None

    def is_closed(self) -> bool:
        """Like asyncpg's; after its test the connection counts as closed."""
        return self._con is None or bool(self._con.is_closed())

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's signature
        """As asyncpg's."""
        if self._con is not None:
            await self._con.close(timeout=timeout)

    def terminate(self) -> None:
        """As asyncpg's."""
        if self._con is not None:
            self._con.terminate()

    def __getattr__(self, name: str) -> Any:
        if self._con is None:
            raise self._lease.expired(f"{name!r}")
        return getattr(self._con, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._lease.test_id}: {self._con or 'ended'}>"


def _forward(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the proxy's method that calls the connection's, of the same kind."""

    def call(self: ConnectionProxy, *args: Any, **kwargs: Any) -> Any:
        if self._con is None:
            raise self._lease.expired(f"{name}()")
        return getattr(self._con, name)(*args, **kwargs)

    async def run(self: ConnectionProxy, *args: Any, **kwargs: Any) -> Any:
        # Checked when it starts, not when it is called: a task may start after the test.
        if self._con is None:
            raise self._lease.expired(f"{name}()")
        return await getattr(self._con, name)(*args, **kwargs)

    return functools.wraps(method)(run if inspect.iscoroutinefunction(method) else call)


for _name, _method in inspect.getmembers(asyncpg.Connection, inspect.isfunction):
    if not _name.startswith("_") and _name not in vars(ConnectionProxy):
        setattr(ConnectionProxy, _name, _forward(_name, _method))
