"""Connection pools for tests: warm, one per event loop, with a record of who holds each connection."""

import asyncio
import contextlib
import time
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from types import TracebackType
from typing import Any

import asyncpg

from tdd_monitor.plugin import shared_work
from tdd_monitor.testing.connections.asyncpg_internals import connections_of, descriptor_of, is_held
from tdd_monitor.testing.databases.by_schema import FOR_ALL_TESTS

from .holders import PoolExhaustedError, PoolHolder, current_holder, describe_exhaustion, describe_leak

OPTIMIZED_POOL_CONFIG: dict[str, Any] = {
    "min_size": 2,
    "max_size": 10,
    "command_timeout": 30.0,
    "server_settings": {"jit": "off"},
}
SHARED_POOL_CONFIG: dict[str, Any] = {
    "min_size": 5,
    "max_size": 15,
    "command_timeout": 10.0,
    "server_settings": {"jit": "off"},
}
ACQUIRE_TIMEOUT_S = 5.0


class GuardedPool:
    """Used like `asyncpg.Pool`; each event loop has its own pool behind it.

    `url` may be a function, called for the first connection. `options` are those of
    `asyncpg.create_pool`. When no connection becomes free within `acquire_timeout_s`,
    PoolExhaustedError names who holds them.
    """

    def __init__(
        self, url: str | Callable[[], str], *, acquire_timeout_s: float = ACQUIRE_TIMEOUT_S, **options: Any
    ) -> None:
        self.acquire_timeout_s = acquire_timeout_s
        self._url = url
        self._options = {**OPTIMIZED_POOL_CONFIG, **options}
        self._of_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopPool] = (
            weakref.WeakKeyDictionary()
        )

    async def warm_up(self) -> None:
        """Open `min_size` connections for the running loop, unless they are open."""
        await self._open()

    def is_warm(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether the loop has its connections."""
        return loop in self._of_loop

    @property
    def holders(self) -> tuple[PoolHolder, ...]:
        """Who holds connections now, in all loops."""
        return tuple(holder for pool in self._of_loop.values() for holder in pool.current_holders())

    def acquire(self, *, timeout: float | None = None) -> "Acquisition":
        """Acquire a connection: `async with pool.acquire() as connection:`, or `await` it and `release`.

        `timeout` in seconds, instead of the pool's `acquire_timeout_s`. Raises PoolExhaustedError.
        """
        return Acquisition(self, self.acquire_timeout_s if timeout is None else timeout)

    async def acquire_within(self, timeout_s: float) -> Any:
        """Acquire a connection within `timeout_s` seconds."""
        pool = await self._open()
        holder = current_holder(time.perf_counter_ns())
        try:
            connection = await pool.real.acquire(timeout=timeout_s)
        except TimeoutError:
            held = pool.current_holders()
            if len(held) < pool.real.get_max_size():
                raise  # the server did not respond
            text = describe_exhaustion(held, pool.real.get_max_size(), timeout_s)
            raise PoolExhaustedError(text, held) from None
        pool.holders[connection] = holder
        return connection

    async def release(self, connection: Any, **options: Any) -> None:
        """Release an acquired connection; releasing it twice is not an error."""
        pool = await self._open()
        pool.holders.pop(connection, None)
        await pool.real.release(connection, **options)

    async def execute(self, query: str, *values: Any, **options: Any) -> str:
        """Like `Connection.execute`, on its own connection."""
        async with self.acquire() as connection:
            return str(await connection.execute(query, *values, **options))

    async def executemany(self, command: str, values: Any, **options: Any) -> None:
        """Like `Connection.executemany`, on its own connection."""
        async with self.acquire() as connection:
            await connection.executemany(command, values, **options)

    async def fetch(self, query: str, *values: Any, **options: Any) -> Any:
        """Like `Connection.fetch`, on its own connection."""
        async with self.acquire() as connection:
            return await connection.fetch(query, *values, **options)

    async def fetchval(self, query: str, *values: Any, **options: Any) -> Any:
        """Like `Connection.fetchval`, on its own connection."""
        async with self.acquire() as connection:
            return await connection.fetchval(query, *values, **options)

    async def fetchrow(self, query: str, *values: Any, **options: Any) -> Any:
        """Like `Connection.fetchrow`, on its own connection."""
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *values, **options)

    def get_size(self) -> int:
        """The number of open connections in the running loop."""
        return self._count("get_size", 0)

    def get_idle_size(self) -> int:
        """The number of idle connections in the running loop."""
        return self._count("get_idle_size", 0)

    def get_min_size(self) -> int:
        """The number of connections that are opened at the start."""
        return self._count("get_min_size", self._options["min_size"])

    def get_max_size(self) -> int:
        """The maximum number of connections per loop."""
        return self._count("get_max_size", self._options["max_size"])

    async def close(self) -> None:
        """Close the pool of the running loop; connections still held are terminated, with a warning."""
        pool = self._of_loop.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()

    async def __aenter__(self) -> "GuardedPool":
        await self.warm_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _count(self, name: str, default: int) -> int:
        pool = self._of_loop.get(asyncio.get_running_loop())
        return default if pool is None else int(getattr(pool.real, name)())

    async def _open(self) -> "_LoopPool":
        loop = asyncio.get_running_loop()
        pool = self._of_loop.get(loop)
        if pool is None:
            url = self._url if isinstance(self._url, str) else self._url()
            pool = self._of_loop[loop] = _LoopPool(url, self._options)
        try:
            await pool.open()
        except BaseException:
            self._of_loop.pop(loop, None)
            raise
        return pool


class _LoopPool:
    """The pool of one event loop."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        # No timers for idle connections: a kept loop drops its timers between tests.
        self.real: Any = asyncpg.create_pool(url, max_inactive_connection_lifetime=0, **options)
        self.holders: dict[Any, PoolHolder] = {}
        self._opening = asyncio.Lock()
        self._is_open = False
        self._keeper: AsyncGenerator[None, None] | None = None

    async def open(self) -> None:
        """Open `min_size` connections, once."""
        if self._is_open:
            return
        async with self._opening:
            if not self._is_open:
                loop: Any = asyncio.get_running_loop()
                is_kept = getattr(loop, "is_kept", False)
                with shared_work(FOR_ALL_TESTS) if is_kept else contextlib.nullcontext():
                    await self.real
                self._is_open = True
                if is_kept:
                    loop.residents.add(self)
                else:
                    self._keeper = self._keep()
                    await anext(self._keeper)

    def descriptors(self) -> list[int]:
        """Return the file descriptors of all open connections."""
        return [descriptor_of(connection) for connection in connections_of(self.real)]

    def current_holders(self) -> tuple[PoolHolder, ...]:
        """Who holds connections now, excluding those that their holder has closed."""
        return tuple(holder for proxy, holder in self.holders.items() if is_held(proxy))

    async def close(self) -> None:
        """Close it; connections still held are terminated, with a warning."""
        held, self._is_open = self.current_holders(), False
        self.holders.clear()
        if held:
            self.real.terminate()  # close() would wait for them
            warnings.warn(describe_leak(held), ResourceWarning, stacklevel=2)
        else:
            await self.real.close()

    async def _keep(self) -> AsyncGenerator[None, None]:
        """An asynchronous generator, because every runner closes those while its loop still runs."""
        try:
            yield
        finally:
            if self._is_open:
                await self.close()


class Acquisition:
    """What `GuardedPool.acquire` returns: await it, or use it with `async with`."""

    def __init__(self, pool: GuardedPool, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._connection: Any = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._pool.acquire_within(self._timeout_s).__await__()

    async def __aenter__(self) -> Any:
        self._connection = await self._pool.acquire_within(self._timeout_s)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        await self._pool.release(connection)
