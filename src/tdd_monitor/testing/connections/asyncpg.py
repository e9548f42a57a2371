"""An asyncpg connection for a test: how its transaction begins, nests and ends.

It begins and cleans up in one round trip each, below asyncpg's public methods.
"""

import secrets
from typing import Any

import asyncpg
from asyncpg.exceptions import InvalidSavepointSpecificationError, NoActiveSQLTransactionError

from .asyncpg_internals import InternalConnection
from .isolation import Ending
from .proxy import ConnectionProxy, Lease

# ROLLBACK does not undo prepared statements and advisory locks of the session; it does undo SET,
# LISTEN, cursors WITH HOLD and temporary tables.
_UNLOCK_BY_SELECT = "SELECT pg_catalog.pg_advisory_unlock_all()"
# The same without planner and executor, which saves a tenth of the time: a procedure that is PostgreSQL's
# own function, under a name private to this connection. ROLLBACK TO restores it if a test drops it.
_UNLOCK = "pg_temp.tdd_monitor_unlock()"
_MAKE_UNLOCK = f"CREATE PROCEDURE {_UNLOCK} LANGUAGE internal AS 'pg_advisory_unlock_all'"
# The types that SQLAlchemy sets codecs for on every connect, with their fixed OIDs.
_BUILT_IN = {"json": 114, "jsonb": 3802, "inet": 869, "cidr": 650}

_NO_LEASE = Lease("no test")


class ContextConnection(InternalConnection):
    """The connection behind `context.connection`: asyncpg's, plus methods to begin and end a test."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.backend: int = self.get_server_pid()
        self.tests = 0
        self.depth = 0
        self._ending = Ending.LOST
        # This savepoint is gone if the test has ended the transaction itself, even if it has begun
        # another one since. Its name is random, so that a test cannot set it again by accident.
        self._sentinel = f"tdd_monitor_{secrets.token_hex(8)}"
        self._begin = f"SAVEPOINT {self._sentinel}"
        self._end = self._end_with(_UNLOCK_BY_SELECT)
        self._test_proxy: ConnectionProxy | None = None
        self.altered = False
        self._codecs: set[str] = set()
        self.database = ""
        self.owned = False
        self.generation = 0

    async def begin_test(self) -> None:
        """Begin the transaction of a test. Raises what asyncpg raises when the connection is dead."""
        await self.begin(self._begin)
        self.tests += 1
        self.depth = 1

    def check_out(self, test_id: str) -> ConnectionProxy:
        """Return the proxy through which the test uses this connection, until `check_in`."""
        lease = Lease(test_id)
        self.set_lease(lease)
        self._test_proxy = proxy = ConnectionProxy(self, lease)
        return proxy

    def check_in(self) -> None:
        """Detach the proxy, so that tasks left running by the test can no longer use this connection."""
        if self._test_proxy is not None:
            self._test_proxy.detach()
            self._test_proxy = None
            self.set_lease(_NO_LEASE)

    async def end_test(self) -> Ending:
        """Undo the test's changes; on anything but ROLLED_BACK, do not reuse this connection."""
        self.depth = 0
        if self.is_closed():
            return self._ending
        try:
            await self.roll_back(self._end)
        except (InvalidSavepointSpecificationError, NoActiveSQLTransactionError):
            return Ending.ESCAPED
        except (asyncpg.InterfaceError, TimeoutError):
            return Ending.LOST if self.is_closed() else Ending.STUCK
        except (asyncpg.PostgresError, OSError):
            return Ending.LOST
        # ROLLBACK removed the listeners on the server; asyncpg would assume that it still listens.
        if not self.forget_listeners():
            self.altered = True
        if self._codecs:
            self.forget_codecs({typename: _BUILT_IN[typename] for typename in self._codecs}, "pg_catalog")
            self._codecs.clear()
        return Ending.ROLLED_BACK

    async def begin_nested(self) -> None:
        """Set a savepoint for a context within a context."""
        await self.send(f"SAVEPOINT {self._sentinel}_{self.depth}")
        self.depth += 1

    async def end_nested(self) -> None:
        """Roll back to the savepoint; if it is gone, the outermost `end_test` will notice."""
        self.depth -= 1
        name = f"{self._sentinel}_{self.depth}"
        try:
            await self.send(f"ROLLBACK TO {name};RELEASE {name}")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return

    async def warm_up(self) -> None:
        """Speed up a test's first CREATE TEMP TABLE, by creating the temporary schema, and its end."""
        if self.is_closed():
            return  # The server ended the connection after the test; the next test opens another.
        try:
            await self.send("CREATE TEMP TABLE tdd_monitor_w(i int);DROP TABLE tdd_monitor_w")
            if self.owned:
                await self.send(_MAKE_UNLOCK)
                self._end = self._end_with(f"CALL {_UNLOCK}")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return  # No privilege, or an old server: only slower. A dead connection shows in the next test.

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's signature
        """Like asyncpg's; within a test it ends the test's transaction first, so that its end is known."""
        if self.depth and not self.is_closed():
            ending = await self.end_test()
            self._ending = Ending.CLOSED if ending is Ending.ROLLED_BACK else ending
        await super().close(timeout=timeout)

    async def set_type_codec(
        self, typename: str, *, schema: str = "public", encoder: Any, decoder: Any, format: str = "text"
    ) -> None:
        """Like asyncpg's, but undone after the test; without a round trip for the types of SQLAlchemy."""
        oid = _BUILT_IN.get(typename) if schema == "pg_catalog" else None
        if format not in {"text", "binary"}:
            oid = None  # tuple format: only asyncpg can encode it
        if oid is not None and self.set_codec(oid, typename, schema, encoder, decoder, format):
            self._codecs.add(typename)
            return
        self.altered = True
        options = {"schema": schema, "encoder": encoder, "decoder": decoder, "format": format}
        await super().set_type_codec(typename, **options)

    async def set_builtin_type_codec(self, *args: Any, **kwargs: Any) -> None:
        """Like asyncpg's; the connection is then not reused for another test."""
        self.altered = True
        await super().set_builtin_type_codec(*args, **kwargs)

    def _end_with(self, unlock: str) -> str:
        return f"ROLLBACK TO {self._sentinel};DEALLOCATE ALL;{unlock}"

    def _unwrap(self) -> Any:
        """Return the connection that asyncpg passes to callbacks, such as those of LISTEN."""
        return self._test_proxy or self
