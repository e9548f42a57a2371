"""How many connections the PostgreSQL servers of the tests have, by their own count.

Asks the servers that the plugin announces once a second, as long as a run goes on. It must not be felt:
one connection a server, to the database `postgres` (a session in the tests' own database would
make DROP DATABASE and CREATE DATABASE ... TEMPLATE fail), short timeouts, a single SELECT.

Nor may it take a connection that a test needs. Limits of roles and databases do not hold for superusers,
so with such a login it counts at once. Another role may have a limit, and to ask for it takes one of its
connections: that is done when a run is over, and later runs are counted if there is none. On a server that
has less than half of its connections left, none is held; near its limit, or once a test was refused, it
ends.
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
LEAST_FREE = 3

_LATER = "the tests' role may have a connection limit; counted from the next run on if it has none"
_LIMITED = "the role or database has a connection limit, so all connections are left to the tests"
_REFUSED = "a test was refused a connection, so all connections are left to the tests"

_DATABASE = "postgres"
_SETTINGS = {
    "application_name": "tdd-monitor",
    "statement_timeout": str(int(TIMEOUT_S * 1000)),
    "default_transaction_read_only": "on",
}
# Whoever is not in pg_read_all_stats sees of other users' sessions no type, but whose they are: client
# backends are somebody's, PostgreSQL's own processes nobody's.
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
    """Counting could take a connection from a test; the message says why."""


class ServerCounts:
    """Follows the servers of one run; `tell` gets a sample whenever something has changed."""

    def __init__(self, tell: Callable[[ServerSample], None]) -> None:
        self._tell = tell
        self._unlimited: dict[tuple[str, str], bool] = {}  # server and user: has neither of them a limit?
        self._to_ask: dict[tuple[str, str], str] = {}
        self._refused: set[str] = set()
        self._told: dict[str, ServerSample] = {}
        self._urls: dict[str, list[str]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, url: str, superuser: bool = False) -> None:
        """Ask this server as soon as that is safe; of one that is known, `url` is another way in."""
        try:
            name, user = server_name(url), urlsplit(url).username or ""
        except ValueError:  # not a URL: nobody to ask
            return
        if name in self._refused:
            self._note(ServerSample(name, reason=_REFUSED))
            return
        if not superuser and not self._unlimited.get((name, user)):
            if name not in self._urls:
                limited = (name, user) in self._unlimited
                self._note(ServerSample(name, reason=_LIMITED if limited else _LATER))
            self._to_ask.setdefault((name, user), url)
            return
        known = self._urls.setdefault(name, [])
        if url not in known:
            known.append(url)
            if len(known) == 1:
                self._tasks.append(asyncio.create_task(self._follow(name, known)))

    def let_go(self) -> None:
        """A test was refused a connection: leave all of them to the tests, for good."""
        for name in self._urls:
            self._refused.add(name)
            self._note(ServerSample(name, reason=_REFUSED))
        for task in self._tasks:
            task.cancel()

    def ask_limits(self) -> None:
        """Between two runs: ask who may be counted in the next one."""
        waiting = [(key, url) for key, url in self._to_ask.items() if key not in self._unlimited]
        self._to_ask.clear()
        self._tasks += [asyncio.create_task(self._ask_limits(key, url)) for key, url in waiting]

    async def _ask_limits(self, key: tuple[str, str], url: str) -> None:
        with contextlib.suppress(Exception):  # then the next run says again that it is not counted
            connection = await _connect(url)
            try:
                self._unlimited[key] = await connection.fetchval(_LIMITS)
            finally:
                connection.terminate()

    async def stop(self) -> None:
        """Hang up everywhere, at once; a later `follow` begins anew."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._urls.clear()
        self._told.clear()

    async def _follow(self, name: str, urls: list[str]) -> None:
        attempt = 0
        while True:
            try:
                await self._count(name, urls[attempt % len(urls)])
            except _TooTightError as reason:
                self._note(ServerSample(name, reason=str(reason)))
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, a count is not worth more than a word
                self._note(ServerSample(name, reason=_reason(error), full=_is_full(error)))
                if _is_full(error):
                    return  # the next one that becomes free is the tests'
            attempt += 1
            await asyncio.sleep(RETRY_S)

    async def _count(self, name: str, url: str) -> None:
        """Connect and count, until something goes wrong: then it raises that."""
        while True:
            connection = await _connect(url)
            try:
                roomy = True
                while roomy:
                    connections, maximum, reserved = await connection.fetchrow(_COUNT)
                    self._note(ServerSample(name, connections, maximum))
                    free = maximum - reserved - connections
                    if free <= max(LEAST_FREE, maximum // 10):
                        raise _TooTightError(
                            f"nearly full ({connections} of {maximum}), so the rest is left to the tests"
                        )
                    roomy = free >= maximum // 2
                    if roomy:
                        await asyncio.sleep(EVERY_S)
            finally:
                connection.terminate()  # says goodbye, but does not wait for an answer
            await asyncio.sleep(EVERY_S)

    def _note(self, sample: ServerSample) -> None:
        if self._told.get(sample.server) != sample:
            self._told[sample.server] = sample
            self._tell(sample)


async def _connect(url: str) -> Any:
    # In a thread, because it takes 30 ms or more, which the screen would feel.
    asyncpg: Any = await asyncio.to_thread(import_module, "asyncpg")
    return await asyncpg.connect(
        url, database=_DATABASE, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S, server_settings=_SETTINGS
    )


def was_refused(test: FinishedTest) -> bool:
    """True for a test that failed because it got no connection."""
    return any(refusal in phase.longrepr for phase in test.phases if phase.longrepr for refusal in _REFUSALS)


def server_name(url: str) -> str:
    """Where the server is: host:port, or the directory of its Unix socket and the port."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host = parts.hostname or query.get("host", [""])[0]
    port = parts.port or query.get("port", ["5432"])[0]
    return servers.server_name(host, port)


def _is_full(error: Exception) -> bool:
    return getattr(error, "sqlstate", "") == _NO_CONNECTION_LEFT


def _reason(error: Exception) -> str:
    """The server's word, else one of ours: a message of the driver's may quote what it was given."""
    if getattr(error, "sqlstate", ""):
        return str(error).partition("\n")[0]
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError):
        return error.strerror or "unreachable"
    return f"the monitor cannot connect with the tests' credentials ({type(error).__name__})"
