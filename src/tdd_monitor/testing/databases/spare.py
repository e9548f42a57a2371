"""Databases created ahead of time: for tests that must commit, and for the next run.

A thread creates and drops them while tests run; a test waits only when the thread is slower. On the
embedded server, unused ones stay at the end as spares for the next run.
"""

import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from tdd_monitor.plugin import ignore_thread

from . import names
from .server import DatabaseServer
from .worker import Database, Settings, claim_or_make, drop, make, spares_of

AHEAD = 1
_SPARES_AT_MOST = 12


class SpareDatabases:
    """Ready copies of templates. `describe` names the next database of a kind (template and settings)."""

    def __init__(self, server: DatabaseServer, describe: Callable[[str, Settings], Database]) -> None:
        self._server = server
        self._describe = describe
        self._change = threading.Condition()
        self._to_make: deque[Database] = deque()
        self._to_drop: list[str] = []
        self._to_replenish: list[Database] = []
        self._ready: defaultdict[str, deque[Database]] = defaultdict(deque)
        self._failure: Exception | None = None
        self._closing = False
        self._making_spare = False
        self._thread: threading.Thread | None = None

    def acquire(self, template: str, settings: Settings) -> tuple[Database, bool]:
        """Return a database for the caller alone, and whether it was ready. Blocks until there is one.

        Raises the server's error when it cannot create one.
        """
        kind = names.kind(template, settings)
        with self._change:
            self._start()
            self._failure = None
            was_ready = bool(self._ready[kind])
            coming = len(self._ready[kind]) + sum(each.kind == kind for each in self._to_make)
            self._to_make.extend(self._describe(template, settings) for _ in range(1 + AHEAD - coming))
            self._change.notify_all()
            self._change.wait_for(lambda: self._ready[kind] or self._failure)
            if not self._ready[kind]:
                failure, self._failure = self._failure, None
                assert failure is not None
                raise failure
            return self._ready[kind].popleft(), was_ready

    def release(self, database: Database) -> None:
        """Schedule the database to be dropped."""
        with self._change:
            self._to_drop.append(database.name)
            self._change.notify_all()

    def replenish(self, database: Database) -> None:
        """Schedule a spare of the same kind, so that the next run starts at once."""
        if not self._may_leave(database):
            return
        with self._change:
            self._start()
            self._to_replenish.append(database)
            self._change.notify_all()

    def close(self) -> None:
        """Drop the used databases; unused ones become spares, or are dropped too. Blocks."""
        with self._change:
            self._closing = True
            self._to_make.clear()
            self._to_replenish.clear()
            self._change.notify_all()
            # The server completes a spare in progress without a client, so do not wait for it.
            thread = None if self._making_spare else self._thread
        if thread is not None:
            thread.join()
        if self._to_drop or self._ready:
            self._server.administer(self._leave)

    def _may_leave(self, database: Database) -> bool:
        # Nothing may stay on the user's server, and a template of this process is dropped with it.
        lasting = not database.template or database.template.startswith(names.TEMPLATES)
        return lasting and self._server.given is None

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tdd-monitor-spares", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        ignore_thread()
        while self._wait_for_work():
            try:
                self._server.administer(self._work)
            except Exception as error:  # noqa: BLE001 - raised in the waiting caller
                with self._change:
                    self._to_replenish.clear()
                    if self._making_spare:
                        self._making_spare = False  # this run does not need it
                        continue
                    self._failure = error
                    self._to_make.clear()
                    self._change.notify_all()

    def _wait_for_work(self) -> bool:
        with self._change:
            self._change.wait_for(
                lambda: self._closing or self._to_make or self._to_drop or self._to_replenish
            )
            return not self._closing

    async def _work(self, admin: Any) -> None:
        """Work through all tasks on one connection, starting with those that a test may be waiting for."""
        while not self._closing:
            like = name = None
            with self._change:
                database = self._to_make[0] if self._to_make else None
                if database is None and self._to_replenish:
                    like, self._making_spare = self._to_replenish.pop(), True
                elif database is None and self._to_drop:
                    name = self._to_drop.pop()
            if database is not None:
                await claim_or_make(self._server, admin, database)
                self._put(database)
            elif like is not None:
                await add_spare(admin, like)
                self._making_spare = False
            elif name is not None:
                await admin.execute(drop(name))
            else:
                return

    def _put(self, database: Database) -> None:
        with self._change:
            if self._to_make and self._to_make[0] is database:
                self._to_make.popleft()
            self._ready[database.kind].append(database)
            self._change.notify_all()

    async def _leave(self, admin: Any) -> None:
        for database in [database for ready in self._ready.values() for database in ready]:
            if self._may_leave(database):
                await _make_room(admin, _SPARES_AT_MOST)
                await admin.execute(f'ALTER DATABASE "{database.name}" RENAME TO "{_spare_name(database)}"')
            else:
                await admin.execute(drop(database.name))
        for name in self._to_drop:
            await admin.execute(drop(name))


async def add_spare(admin: Any, like: Database) -> None:
    """Create another database like this one for the next test or run, unless there are enough of them."""
    enough = max(2, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    if len(await spares_of(admin, like.kind)) >= enough:
        return
    await _make_room(admin, max(enough, _SPARES_AT_MOST))
    # Another process can claim a spare at any moment, so it is named as one when it has its settings.
    name = names.another(like.name)
    await make(admin, name, like.template, like.settings)
    await admin.execute(f'ALTER DATABASE "{name}" RENAME TO "{_spare_name(like)}"')


async def _make_room(admin: Any, at_most: int) -> None:
    spares = await spares_of(admin, "")
    for name in spares[: max(0, len(spares) + 1 - at_most)]:
        await admin.execute(drop(name))


def _spare_name(database: Database) -> str:
    return f"{names.spares(database.kind)}{os.getpid()}_{time.time_ns() % 10**12}"
