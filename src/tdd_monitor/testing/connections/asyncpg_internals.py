"""The private names of asyncpg that the toolkit uses, and the fallbacks without them.

They save round trips, and isolate tests from leftovers of earlier ones. Nothing else in the toolkit uses
them; names that a version of asyncpg lacks are reported at the end of the run.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterator
from typing import Any

import asyncpg

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.testing.limits import limited

_compat = Compat("asyncpg")
_OF_CONNECTION = "connection.Connection."

_IN_ONE_ROUND_TRIP = _compat.has(
    "a test's transaction takes more round trips",
    *(_OF_CONNECTION + "_protocol", _OF_CONNECTION + "_top_xact", "protocol.Protocol.query"),
    *("transaction.Transaction", "transaction.TransactionState.STARTED"),
)
_KNOWS_LEASES = _compat.has(
    "statements, cursors and transactions may be used after their test",
    *(_OF_CONNECTION + "_pool_release_ctr", "connresource.ConnectionResource"),
)
_LISTENERS = ("_listeners", "_log_listeners", "_query_loggers", "_termination_listeners")
_KNOWS_LISTENERS = _compat.has(
    "each test opens a connection", *[_OF_CONNECTION + name for name in _LISTENERS]
)
_KNOWS_CODECS = _compat.has(
    "setting a codec takes a round trip and a connection",
    *(_OF_CONNECTION + "_protocol", _OF_CONNECTION + "_check_open"),
    *(_OF_CONNECTION + "_drop_local_statement_cache", "protocol.Protocol.get_settings"),
)
_KNOWS_CANCEL = _compat.has(
    "a query that a test left running is stopped by another connection",
    *(_OF_CONNECTION + "_protocol", _OF_CONNECTION + "_addr", _OF_CONNECTION + "_params"),
    *("connect_utils._cancel", "protocol.Protocol.backend_secret"),
)
KNOWS_SOCKETS = _compat.has(
    "each test opens a connection",
    *(_OF_CONNECTION + "_transport", "pool.Pool._holders", "pool.PoolConnectionHolder._con"),
)
_compat.has("callbacks get a connection object other than their test's", _OF_CONNECTION + "_unwrap")
_KNOWS_HOLDERS = _compat.has("holders of a pool may be out of date", "pool.PoolConnectionProxy._con")
# The base class that makes a proxy an instance of asyncpg.Connection.
ProxyBase: Any = (
    asyncpg.connection._ConnectionProxy
    if _compat.has("a test's connection is not an asyncpg.Connection", "connection._ConnectionProxy")
    else object
)
limited(_compat)

# The statements that begin and end a test never wait for a lock, and a timer would double the cost in
# Python.
_NO_TIMEOUT = None


class InternalConnection(asyncpg.Connection):  # type: ignore[misc]
    """An asyncpg connection with public names for private members of asyncpg's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loop = asyncio.get_running_loop()  # the only one that can use it
        self._transaction: Any = None
        if _IN_ONE_ROUND_TRIP:
            self._transaction = asyncpg.transaction.Transaction(self, None, False, False)
            self._transaction._state = asyncpg.transaction.TransactionState.STARTED

    # Every test awaits these two, so they return awaitables directly instead of wrapping them in coroutines.

    def begin(self, then: str) -> Awaitable[object]:
        """Begin a transaction within which `connection.transaction()` is a savepoint; send `then` in it."""
        if not _IN_ONE_ROUND_TRIP:
            return self._begin_without(then)
        self._top_xact = self._transaction  # as `Transaction.start` does
        return self._protocol.query("BEGIN;" + then, _NO_TIMEOUT)  # type: ignore[no-any-return]

    def roll_back(self, before: str) -> Awaitable[object]:
        """Send `before`, then end the transaction that `begin` has begun."""
        if not _IN_ONE_ROUND_TRIP:
            return self._roll_back_without(before)
        self._top_xact = None
        return self._protocol.query(before + ";ROLLBACK", _NO_TIMEOUT)  # type: ignore[no-any-return]

    async def _begin_without(self, then: str) -> None:
        self._transaction = self.transaction()
        await self._transaction.start()
        await self.execute(then)

    async def _roll_back_without(self, before: str) -> None:
        await self.execute(before)
        await self._transaction.rollback()

    async def send(self, statements: str) -> None:
        """Send statements in one round trip."""
        if _IN_ONE_ROUND_TRIP:
            await self._protocol.query(statements, _NO_TIMEOUT)
        else:
            await self.execute(statements)

    def set_lease(self, lease: Any) -> None:
        """Make statements, cursors and transactions record the lease, and check it when they are used."""
        if _KNOWS_LEASES:
            self._pool_release_ctr = lease

    def forget_listeners(self) -> bool:
        """Drop all listeners, without a round trip; False if it is unknown whether there are any."""
        if not _KNOWS_LISTENERS:
            return False
        if self._listeners or self._log_listeners or self._query_loggers or self._termination_listeners:
            for name in _LISTENERS:
                getattr(self, name).clear()
        return True

    def set_codec(
        self, oid: int, typename: str, schema: str, encoder: Any, decoder: Any, format: str
    ) -> bool:
        """Set the codec of a type with a known OID; False if that needs a round trip."""
        if not _KNOWS_CODECS:
            return False
        self._check_open()
        settings = self._protocol.get_settings()
        settings.add_python_codec(oid, typename, schema, [], "scalar", encoder, decoder, format)
        self._drop_local_statement_cache()
        return True

    def forget_codecs(self, oids: dict[str, int], schema: str) -> None:
        """Undo `set_codec` for each type."""
        settings = self._protocol.get_settings()
        for typename, oid in oids.items():
            settings.remove_python_codec(oid, typename, schema)
        self._drop_local_statement_cache()

    async def cancel(self) -> None:
        """Cancel the running query, on a connection that needs no login."""
        if not _KNOWS_CANCEL:
            return
        with contextlib.suppress(OSError):
            await asyncpg.connect_utils._cancel(
                loop=self.loop,
                addr=self._addr,
                params=self._params,
                backend_pid=self.get_server_pid(),
                backend_secret=self._protocol.backend_secret,
            )


def descriptor_of(connection: Any) -> int:
    """Return the file descriptor of a connection's socket, -1 if it is closed.

    Only where `KNOWS_SOCKETS`, as `connections_of`.
    """
    transport = connection._transport
    socket = None if transport is None else transport.get_extra_info("socket")
    return -1 if socket is None else int(socket.fileno())


def connections_of(pool: Any) -> Iterator[Any]:
    """Iterate over all open connections of a pool."""
    return (holder._con for holder in pool._holders if holder._con is not None)


def is_held(proxy: Any) -> bool:
    """Return whether a pool's connection is still checked out; True if unknown."""
    return not _KNOWS_HOLDERS or proxy._con is not None
