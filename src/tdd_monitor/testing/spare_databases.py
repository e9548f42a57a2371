"""Databases for tests that must commit: each test gets its own, and the next is made ahead.

A thread makes and drops them while tests run; a test waits only when it is faster than that.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from .database_server import DatabaseServer
from .worker_databases import Database, drop, make

AHEAD = 1


class SpareDatabases:
    """Ready copies of templates. `describe` names the next database of a kind (template and settings)."""

    def __init__(self, server: DatabaseServer, describe: Callable[..., Database]) -> None:
        self._server = server
        self._describe = describe
        self._change = threading.Condition()
        self._to_make: deque[Database] = deque()
        self._to_drop: list[str] = []
        self._ready: defaultdict[tuple[object, ...], deque[Database]] = defaultdict(deque)
        self._made = 0
        self._failure: Exception | None = None
        self._closing = False
        self._thread: threading.Thread | None = None

    def take(self, template: str, settings: tuple[tuple[str, str], ...]) -> tuple[Database, bool]:
        """Return a database for the caller alone, and whether it was ready. Blocks until there is one.

        Raises what the server says when it cannot make one.
        """
        kind = (template, settings)
        with self._change:
            self._start()
            was_ready = bool(self._ready[kind])
            coming = len(self._ready[kind]) + sum(_kind(each) == kind for each in self._to_make)
            self._to_make.extend(self._describe(*kind) for _ in range(1 + AHEAD - coming))
            self._change.notify_all()
            self._change.wait_for(lambda: self._ready[kind] or self._failure)
            if not self._ready[kind]:
                failure, self._failure = self._failure, None
                assert failure is not None
                raise failure
            return self._ready[kind].popleft(), was_ready

    def give_back(self, database: Database) -> None:
        """Let the database be dropped, when there is time."""
        with self._change:
            self._to_drop.append(database.name)
            self._change.notify_all()

    def close(self) -> None:
        """Drop all of them. Blocks."""
        with self._change:
            self._closing = True
            self._to_make.clear()
            for ready in self._ready.values():
                self._to_drop += [database.name for database in ready]
            self._ready.clear()
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tdd-monitor-spares", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                self._server.administer(self._work)
            except Exception as error:
                with self._change:
                    self._failure = error
                    self._to_make.clear()
                    if self._closing:
                        self._to_drop.clear()
                    self._change.notify_all()

    def _wait_for_work(self) -> bool:
        with self._change:
            self._change.wait_for(lambda: self._to_make or self._to_drop or self._closing)
            return bool(self._to_make or self._to_drop)

    async def _work(self, admin: Any) -> None:
        """Work until nothing is left to do, on one connection. Making comes before dropping."""
        while True:
            with self._change:
                database = self._to_make[0] if self._to_make else None
                name = self._to_drop.pop() if database is None and self._to_drop else None
            if database is not None:
                await make(admin, database)
                self._put(database)
            elif name is not None:
                await admin.execute(drop(name))
            else:
                return

    def _put(self, database: Database) -> None:
        with self._change:
            if self._closing or not self._to_make or self._to_make[0] is not database:
                self._to_drop.append(database.name)
                return
            self._to_make.popleft()
            self._ready[_kind(database)].append(database)
            self._change.notify_all()


def _kind(database: Database) -> tuple[object, ...]:
    return (database.template, database.settings)
