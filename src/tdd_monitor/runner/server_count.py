"""Counts the connections of the tests' PostgreSQL servers, as the servers report them.

Queries each server that the plugin announces once a second during a run. The load must be negligible:
one connection per server, to the database `postgres` (a session in the tests' own database would
make DROP DATABASE and CREATE DATABASE ... TEMPLATE fail), short timeouts, a single SELECT.

It must not take a connection that a test needs either. Role and database limits do not apply to superusers,
so with a superuser login it counts at once. Any other role may have a limit, and checking that takes one of
its connections: this happens after the run, and later runs are counted if there is no limit. When less than
half of a server's connections are free, it holds none between counts; near the server's limit, or after a
test was refused a connection, it stops counting.
"""

import asyncio
import contextlib
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tdd_monitor.protocol import servers
from tdd_monitor.protocol.events import FinishedTest, ServerSample

EVERY_S = 1.0
RETRY_S = 5.0
TIMEOUT_S = 2.0  # to connect, and for each answer
MIN_FREE = 3

_LATER = "the tests' role may have a connection limit; counted from the next run on if it has none"
_LIMITED = "the role or database has a connection limit, so all connections are left to the tests"
_REFUSED = "a test was refused a connection, so all connections are left to the tests"

_DATABASE = "postgres"
_SETTINGS = {
    "application_name": "tdd-monitor",
    "statement_timeout": str(int(TIMEOUT_S * 1000)),
    "default_transaction_read_only": "on",
}
# Roles outside pg_read_all_stats see no backend_type for other users' sessions, but they see usesysid:
# it is set for client backends and NULL for PostgreSQL's own processes.
_COUNT = """
    SELECT count(*), current_setting('max_connections')::int,
      current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true)::int, 0)
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid()
      AND (backend_type = 'client backend' OR backend_type IS NULL AND usesysid IS NOT NULL)
"""
_LIMITS = """
    SELECT rolsuper OR rolconnlimit < 0 AND datconnlimit < 0
    FROM pg_roles, pg_database WHERE rolname = session_user AND datname = current_database()
"""
_REFUSALS = ("too many connections", "too many clients already", "connection slots are reserved")
_NO_CONNECTION_LEFT = "53300"  # SQLSTATE too_many_connections


class _TooTightError(Exception):
    """Counting could take a connection that a test needs; the message says why."""


class ServerCounts:
    """Follows the servers of one run; `on_sample` gets a sample whenever something has changed."""

    def __init__(self, on_sample: Callable[[ServerSample], None]) -> None:
        self._on_sample = on_sample
        self._unlimited: dict[tuple[str, str], bool] = {}  # by server and user: True without a limit
        self._unchecked: dict[tuple[str, str], str] = {}
        self._refused: set[str] = set()
        self._reported: dict[str, ServerSample] = {}
        self._urls: dict[str, list[str]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, url: str, superuser: bool = False) -> None:
        """Count this server's connections once that is safe; for a known server, `url` is an alternative."""
        try:
            name, user = server_name(url), urlsplit(url).username or ""
        except ValueError:  # not a URL
            return
        if name in self._refused:
            self._note(ServerSample(name, reason=_REFUSED))
            return
        if not superuser and not self._unlimited.get((name, user)):
            if name not in self._urls:
                limited = (name, user) in self._unlimited
                self._note(ServerSample(name, reason=_LIMITED if limited else _LATER))
            self._unchecked.setdefault((name, user), url)
            return
        known = self._urls.setdefault(name, [])
        if url not in known:
            known.append(url)
            if len(known) == 1:
                self._tasks.append(asyncio.create_task(self._follow(name, known)))

    def withdraw(self) -> None:
        """Stop counting for good: a test was refused a connection, so all are left to the tests."""
        for name in self._urls:
            self._refused.add(name)
            self._note(ServerSample(name, reason=_REFUSED))
        for task in self._tasks:
            task.cancel()

    def check_limits(self) -> None:
        """Between two runs, check which servers can be counted in the next one."""
        pending = [(key, url) for key, url in self._unchecked.items() if key not in self._unlimited]
        self._unchecked.clear()
        self._tasks += [asyncio.create_task(self._check_limits(key, url)) for key, url in pending]

    async def _check_limits(self, key: tuple[str, str], url: str) -> None:
        with contextlib.suppress(Exception):  # then the next run reports it as not counted again
            connection = await _connect(url)
            try:
                self._unlimited[key] = await connection.fetchval(_LIMITS)
            finally:
                connection.terminate()

    async def stop(self) -> None:
        """Close all connections at once; a later `follow` starts over."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._urls.clear()
        self._reported.clear()

    async def _follow(self, name: str, urls: list[str]) -> None:
        attempt = 0
        while True:
            try:
                await self._count(name, urls[attempt % len(urls)])
            except _TooTightError as reason:
                self._note(ServerSample(name, reason=str(reason)))
                return
            except Exception as error:  # noqa: BLE001 - no error may end the run because of a count
                self._note(ServerSample(name, reason=_reason(error), full=_is_full(error)))
                if _is_full(error):
                    return  # leave the next free connection to the tests
            attempt += 1
            await asyncio.sleep(RETRY_S)

    async def _count(self, name: str, url: str) -> None:
        """Connect and count until an error, which it raises."""
        while True:
            connection = await _connect(url)
            try:
                keep_connection = True
                while keep_connection:
                    connections, maximum, reserved = await connection.fetchrow(_COUNT)
                    self._note(ServerSample(name, connections, maximum))
                    free = maximum - reserved - connections
                    if free <= max(MIN_FREE, maximum // 10):
                        raise _TooTightError(
                            f"nearly full ({connections} of {maximum}), so the rest is left to the tests"
                        )
                    keep_connection = free >= maximum // 2
                    if keep_connection:
                        await asyncio.sleep(EVERY_S)
            finally:
                connection.terminate()  # sends Terminate without waiting for the server
            await asyncio.sleep(EVERY_S)

    def _note(self, sample: ServerSample) -> None:
        if self._reported.get(sample.server) != sample:
            self._reported[sample.server] = sample
            self._on_sample(sample)


async def _connect(url: str) -> Any:
    # In a thread: the import takes 30 ms or more, which would freeze the screen.
    asyncpg: Any = await asyncio.to_thread(import_module, "asyncpg")
    return await asyncpg.connect(
        url, database=_DATABASE, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S, server_settings=_SETTINGS
    )


def was_refused(test: FinishedTest) -> bool:
    """True for a test that failed because it got no connection."""
    return any(refusal in phase.longrepr for phase in test.phases if phase.longrepr for refusal in _REFUSALS)


def server_name(url: str) -> str:
    """The server's address: host:port, or the directory of its Unix socket and the port."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host = parts.hostname or query.get("host", [""])[0]
    port = parts.port or query.get("port", ["5432"])[0]
    return servers.server_name(host, port)


def _is_full(error: Exception) -> bool:
    return getattr(error, "sqlstate", "") == _NO_CONNECTION_LEFT


def _reason(error: Exception) -> str:
    """The server's message, else our own: the driver's message may quote credentials."""
    if getattr(error, "sqlstate", ""):
        return str(error).partition("\n")[0]
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError):
        return error.strerror or "unreachable"
    return f"the monitor cannot connect with the tests' credentials ({type(error).__name__})"
