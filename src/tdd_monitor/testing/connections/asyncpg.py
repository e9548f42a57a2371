"""An asyncpg connection for a test: how its transaction begins, nests and ends.

It reaches below asyncpg's public methods at a few marked places, to begin and to clean up in one
round trip each. tests/testing/test_isolation.py fails when a new asyncpg changes them.
"""

import asyncio
import contextlib
import secrets
from typing import Any

import asyncpg
from asyncpg.connect_utils import _cancel
from asyncpg.exceptions import InvalidSavepointSpecificationError, NoActiveSQLTransactionError
from asyncpg.transaction import Transaction, TransactionState

from .isolation import Ending
from .proxy import ConnectionProxy, Lease

# ROLLBACK does not undo prepared statements and advisory locks of the session; it does undo SET,
# LISTEN, cursors WITH HOLD and temporary tables.
_UNLOCK_BY_SELECT = "SELECT pg_catalog.pg_advisory_unlock_all()"
# The same without planner and executor, a tenth of the time less: a procedure that is PostgreSQL's own
# function, under a name that only this connection has. ROLLBACK TO brings it back if a test drops it.
_UNLOCK = "pg_temp.tdd_monitor_unlock()"
_MAKE_UNLOCK = f"CREATE PROCEDURE {_UNLOCK} LANGUAGE internal AS 'pg_advisory_unlock_all'"
# None of these statements waits for a lock, and a timer would cost as much as the rest of Python's part.
_NO_TIMEOUT = None
# What SQLAlchemy sets codecs for whenever it connects, and their numbers in every PostgreSQL.
_BUILT_IN = {"json": 114, "jsonb": 3802, "inet": 869, "cidr": 650}

_NOBODY = Lease("no test")


class ContextConnection(asyncpg.Connection):  # type: ignore[misc]
    """What a test gets as `context.connection`: asyncpg's own, and what is needed around the test."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.backend: int = self.get_server_pid()
        self.tests = 0
        self.depth = 0
        self._ending = Ending.LOST
        # The savepoint is the witness: it is gone when the test has ended the transaction itself, also
        # when it has begun another one since. Nobody can set it again without knowing its name.
        self._witness = f"tdd_monitor_{secrets.token_hex(8)}"
        self._begin = f"BEGIN;SAVEPOINT {self._witness}"
        self._end = self._end_with(_UNLOCK_BY_SELECT)
        self._test_proxy: ConnectionProxy | None = None
        self.altered = False
        self._codecs: set[str] = set()
        self.database = ""
        self.owned = False
        self._outermost = Transaction(self, None, False, False)
        self._outermost._state = TransactionState.STARTED
        self.generation = 0

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The only loop that can use it."""
        return self._loop  # type: ignore[no-any-return]

    async def begin_test(self) -> None:
        """Begin the transaction of a test. Raises what asyncpg raises when the connection is dead."""
        await self._protocol.query(self._begin, _NO_TIMEOUT)
        # As `Transaction.start` does: so `connection.transaction()` in the code under test is a savepoint.
        self._top_xact = self._outermost
        self.tests += 1
        self.depth = 1

    def check_out(self, test_id: str) -> ConnectionProxy:
        """Return the proxy with which the test uses this connection, until `check_in`."""
        self._pool_release_ctr = lease = Lease(test_id)
        self._test_proxy = proxy = ConnectionProxy(self, lease)
        return proxy

    def check_in(self) -> None:
        """Detach the proxy: nothing that the test has left running can use this connection any more."""
        if self._test_proxy is not None:
            self._test_proxy.detach()
            self._test_proxy = None
            self._pool_release_ctr = _NOBODY

    async def end_test(self) -> Ending:
        """Undo what the test did; anything but ROLLED_BACK means: do not use this connection again."""
        self.depth = 0
        if self.is_closed():
            return self._ending
        try:
            await self._protocol.query(self._end, _NO_TIMEOUT)
        except (InvalidSavepointSpecificationError, NoActiveSQLTransactionError):
            return Ending.ESCAPED
        except (asyncpg.InterfaceError, TimeoutError):
            return Ending.LOST if self.is_closed() else Ending.STUCK
        except (asyncpg.PostgresError, OSError):
            return Ending.LOST
        self._top_xact = None
        if self._listeners or self._log_listeners or self._query_loggers or self._termination_listeners:
            self._forget_listeners()
        if self._codecs:
            self._forget_codecs()
        return Ending.ROLLED_BACK

    async def cancel(self) -> None:
        """Ask the server to stop the query that is running, on a connection that needs no login."""
        with contextlib.suppress(OSError):
            await _cancel(
                loop=self._loop,
                addr=self._addr,
                params=self._params,
                backend_pid=self.backend,
                backend_secret=self._protocol.backend_secret,
            )

    async def begin_nested(self) -> None:
        """Set a savepoint for a context within a context."""
        await self._protocol.query(f"SAVEPOINT {self._witness}_{self.depth}", _NO_TIMEOUT)
        self.depth += 1

    async def end_nested(self) -> None:
        """Go back to the savepoint; when it is gone, the outermost `end_test` will notice."""
        self.depth -= 1
        name = f"{self._witness}_{self.depth}"
        try:
            await self._protocol.query(f"ROLLBACK TO {name};RELEASE {name}", _NO_TIMEOUT)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return

    async def warm_up(self) -> None:
        """Make cheap their first CREATE TEMP TABLE, whose schema then exists, and their end."""
        try:
            await self._protocol.query(
                "CREATE TEMP TABLE tdd_monitor_w(i int);DROP TABLE tdd_monitor_w", _NO_TIMEOUT
            )
            if self.owned:
                await self._protocol.query(_MAKE_UNLOCK, _NO_TIMEOUT)
                self._end = self._end_with(f"CALL {_UNLOCK}")
        except asyncpg.PostgresError:
            return  # No right to, or an old server: then without. A dead connection shows at the next test.

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as asyncpg's
        """As asyncpg's; where a test does it, its transaction is ended before, so that we know how."""
        if self.depth and not self.is_closed():
            ending = await self.end_test()
            self._ending = Ending.CLOSED if ending is Ending.ROLLED_BACK else ending
        await super().close(timeout=timeout)

    async def set_type_codec(
        self, typename: str, *, schema: str = "public", encoder: Any, decoder: Any, format: str = "text"
    ) -> None:
        """As asyncpg's, but undone after the test; without a round trip for the types of SQLAlchemy."""
        oid = _BUILT_IN.get(typename) if schema == "pg_catalog" else None
        if oid is None or format not in {"text", "binary"}:
            self.altered = True
            options = {"schema": schema, "encoder": encoder, "decoder": decoder, "format": format}
            await super().set_type_codec(typename, **options)
            return
        self._check_open()
        settings = self._protocol.get_settings()
        settings.add_python_codec(oid, typename, schema, [], "scalar", encoder, decoder, format)
        self._drop_local_statement_cache()
        self._codecs.add(typename)

    async def set_builtin_type_codec(self, *args: Any, **kwargs: Any) -> None:
        """As asyncpg's; the connection is not used for another test then."""
        self.altered = True
        await super().set_builtin_type_codec(*args, **kwargs)

    def _end_with(self, unlock: str) -> str:
        return f"ROLLBACK TO {self._witness};DEALLOCATE ALL;{unlock};ROLLBACK"

    def _unwrap(self) -> Any:
        """What asyncpg gives to callbacks, such as those of LISTEN."""
        return self._test_proxy or self

    def _forget_codecs(self) -> None:
        settings = self._protocol.get_settings()
        for typename in self._codecs:
            settings.remove_python_codec(_BUILT_IN[typename], typename, "pg_catalog")
        self._codecs.clear()
        self._drop_local_statement_cache()

    def _forget_listeners(self) -> None:
        # The server has forgotten them in ROLLBACK; asyncpg would believe that it still listens.
        for listeners in (
            self._listeners,
            self._log_listeners,
            self._query_loggers,
            self._termination_listeners,
        ):
            listeners.clear()
