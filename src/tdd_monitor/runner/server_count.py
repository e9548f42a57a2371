"""How many connections the PostgreSQL servers of the tests have, by their own count.

Asks the servers that the plugin announces once a second, as long as a run goes on. It must not be felt:
one connection a server, to the database `postgres` (a session in the tests' own database would
make DROP DATABASE and CREATE DATABASE ... TEMPLATE fail), short timeouts, a single SELECT.
"""

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tdd_monitor.protocol.events import ServerSample

EVERY_S = 1.0
RETRY_S = 5.0
TIMEOUT_S = 2.0  # to connect, and for each answer
EMBEDDED = "embedded"

_DATABASE = "postgres"
_SETTINGS = {
    "application_name": "tdd-monitor",
    "statement_timeout": str(int(TIMEOUT_S * 1000)),
    "default_transaction_read_only": "on",
}
# Whoever is not in pg_read_all_stats sees of other users' sessions no type, but whose they are: client
# backends are somebody's, PostgreSQL's own processes nobody's.
_COUNT = """
    SELECT count(*), current_setting('max_connections')::int
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid()
      AND (backend_type = 'client backend' OR backend_type IS NULL AND usesysid IS NOT NULL)
"""
_NO_CONNECTION_LEFT = "53300"  # SQLSTATE too_many_connections


class ServerCounts:
    """Follows the servers of one run; `tell` gets a sample whenever something has changed."""

    def __init__(self, tell: Callable[[ServerSample], None]) -> None:
        self._tell = tell
        self._told: dict[str, ServerSample] = {}
        self._urls: dict[str, list[str]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, url: str) -> None:
        """Ask this server from now on; of one that is known, `url` is another way in."""
        try:
            name = server_name(url)
        except ValueError:  # not a URL: nobody to ask
            return
        known = self._urls.setdefault(name, [])
        if url not in known:
            known.append(url)
            if len(known) == 1:
                self._tasks.append(asyncio.create_task(self._follow(name, known)))

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
            except Exception as error:  # whatever it is, a count is not worth more than a word
                self._note(ServerSample(name, reason=_reason(error), full=_is_full(error)))
            attempt += 1
            await asyncio.sleep(RETRY_S)

    async def _count(self, name: str, url: str) -> None:
        """Connect and count, until something goes wrong: then it raises that."""
        # In a thread, because it takes 30 ms or more, which the screen would feel.
        asyncpg: Any = await asyncio.to_thread(import_module, "asyncpg")
        connection = await asyncpg.connect(
            url, database=_DATABASE, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S, server_settings=_SETTINGS
        )
        try:
            while True:
                connections, maximum = await connection.fetchrow(_COUNT)
                self._note(ServerSample(name, connections, maximum))
                await asyncio.sleep(EVERY_S)
        finally:
            connection.terminate()  # says goodbye, but does not wait for an answer

    def _note(self, sample: ServerSample) -> None:
        if self._told.get(sample.server) != sample:
            self._told[sample.server] = sample
            self._tell(sample)


def server_name(url: str) -> str:
    """Where the server is: host:port, or the directory of its Unix socket and the port."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host = parts.hostname or query.get("host", [""])[0]
    port = parts.port or query.get("port", ["5432"])[0]
    directory, _, last = host.rpartition("/")
    if last == "pg" and directory.rpartition("/")[2].startswith("tdd-monitor-"):
        return EMBEDDED
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_full(error: Exception) -> bool:
    return getattr(error, "sqlstate", "") == _NO_CONNECTION_LEFT


def _reason(error: Exception) -> str:
    """The server's word, else one of ours: a message of the driver's may quote what it was given."""
    if getattr(error, "sqlstate", ""):
        return str(error).partition("\n")[0]
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, OSError):
        return error.strerror or "it cannot be reached"
    return f"the monitor cannot connect as the tests do ({type(error).__name__})"
