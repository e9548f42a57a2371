"""The PostgreSQL server that the tests use: the embedded one, or the user's.

Administration (CREATE DATABASE and the like) blocks its caller, on a connection and a loop of its own:
so it works the same from a coroutine, a synchronous fixture and at exit.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from .url import DatabaseUrl, with_database

if TYPE_CHECKING:
    from tdd_monitor.testing.postgres import ServerLease

Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 20.0
_NOT_TRIED_AGAIN_S = 30.0


class DatabaseUnreachableError(ConnectionError):
    """The user's server does not answer; the message says which one, and where its URL is set."""


class DatabaseServer:
    """A started server. Raises `EmbeddedPostgresError` when the embedded one cannot be started."""

    def __init__(self, given: DatabaseUrl | None, on_progress: Callable[[str], None] | None = None) -> None:
        self.given = given
        self._on_progress = on_progress
        self._lease: ServerLease | None = None
        self._unreachable: tuple[float, str] | None = None  # when, and why
        self.revive()

    def revive(self) -> None:
        """Restart the embedded server after a crash; it keeps its databases."""
        if self.given is not None:
            return
        from tdd_monitor.testing.postgres import acquire_server

        lease, self._lease = self._lease, acquire_server(self._on_progress)
        if lease is not None:
            lease.close()

    @property
    def main_url(self) -> str:
        """The URL for administration: the user's database, or `postgres` on the embedded server."""
        if self._lease is not None:
            return self._lease.address.url()
        assert self.given is not None
        return self.given.url

    def url_of(self, database: str) -> str:
        """Return the URL of one of this server's databases."""
        return with_database(self.main_url, database)

    @contextlib.contextmanager
    def reaching(
        self, *failures: type[Exception], now_s: Callable[[], float] = time.monotonic
    ) -> Iterator[None]:
        """Guard the opening of a connection: `failures`, or OSError, mean that the server does not answer.

        One attempt can take the whole timeout, so attempts in the next seconds fail at once.
        Raises DatabaseUnreachableError, on the user's server.
        """
        if self.given is None:
            yield
            return
        if self._unreachable is not None and now_s() - self._unreachable[0] < _NOT_TRIED_AGAIN_S:
            raise DatabaseUnreachableError(
                f"{self._unreachable[1]} No new attempt is made for {_NOT_TRIED_AGAIN_S:g} s."
            )
        connection_errors: tuple[type[Exception], ...] = (OSError, *failures)
        try:
            yield
        except connection_errors as error:
            text = self._explain(error)
            self._unreachable = (now_s(), text)
            raise DatabaseUnreachableError(text) from error
        except Exception as error:
            # The server has answered; its own error explains the failure best.
            error.add_note(f"The server is {self.given.shown}, from {self.given.source}.")
            raise
        self._unreachable = None

    def _explain(self, error: Exception) -> str:
        assert self.given is not None
        timed_out = isinstance(error, TimeoutError)
        reason = f"no answer within {CONNECT_TIMEOUT_S:g} s" if timed_out else str(error).strip()
        return (
            f"Cannot connect to {self.given.shown}, from {self.given.source}: {reason}. Start that server or"
            " correct the URL; without a URL, the tests use the embedded server."
        )

    def execute(self, *statements: str) -> None:
        """Execute statements one by one, outside a transaction (as CREATE DATABASE requires). Blocks."""

        async def administer(connection: Any) -> None:
            for statement in statements:
                await connection.execute(statement)

        self.administer(administer)

    def administer(self, work: Callable[[Any], Coroutine[Any, Any, Result]], database: str = "") -> Result:
        """Run `work` on a new connection and close it afterwards. Blocks until it is done."""
        import asyncpg

        url = self.url_of(database) if database else self.main_url

        async def connect_and_work() -> Result:
            with self.reaching():
                connection = await asyncpg.connect(url, statement_cache_size=0, timeout=CONNECT_TIMEOUT_S)
            try:
                return await work(connection)
            finally:
                await connection.close()

        return run_apart(connect_and_work)

    def close(self) -> None:
        """Release the embedded server; it stops by itself when it has no users."""
        if self._lease is not None:
            self._lease.close()


def run_apart(
    make: Callable[[], Coroutine[Any, Any, Result]], loop: asyncio.AbstractEventLoop | None = None
) -> Result:
    """Run a coroutine to completion in `loop` or a new one; within a running loop, in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        # Not in a thread: at exit, Python 3.12 and later refuse to start one.
        return _run(make, loop)
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(_run(make, loop))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, name="tdd-monitor-admin", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _run(make: Callable[[], Coroutine[Any, Any, Result]], loop: asyncio.AbstractEventLoop | None) -> Result:
    if loop is not None:
        return loop.run_until_complete(make())
    # Not a loop from the user's policy, which may be of any kind.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(make())
