"""The history of one project: on this machine, and on a server if its team shares one."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from .commit import Commit
from .database import HistoryError
from .environment import Environment
from .rows import Figures, Result, RunRow
from .sqlite import SQLite
from .store import Store, Window

RETRY_S = 60.0  # after a failure of the server


class Baseline(NamedTuple):
    """Earlier figures of each test, and those accepted last."""

    window: Window
    accepted: dict[str, Figures]


class ProjectHistory:
    """Keeps runs on this machine first; with a server, also sends them there, at once or later.

    Blocks, for a server up to several seconds: use it in one thread without an event loop.
    """

    def __init__(self, root: Path, url: str = "") -> None:
        """Open the history of the project at `root`, shared through the PostgreSQL server at `url` if given.

        Raises HistoryError when the local one cannot be used.
        """
        database = SQLite(root)
        self.notices = [database.notice] if database.notice else []
        self._local = Store(database)
        self._url = url
        self._shared: Store | None = None
        self._next_try_s = 0.0

    def add(self, run: RunRow, results: list[Result]) -> None:
        """Keep a run. Raises HistoryError; an unreachable server only causes a notice."""
        self._local.add(run, results, to_send=bool(self._url))
        shared = self._reachable()
        if shared is not None:
            try:
                for unsent in self._local.unsent():
                    self._local.send(unsent, shared)
            except HistoryError as error:
                self._failed(error)

    def baseline(self, environment: Environment, scope: str) -> Baseline:
        """What a run of this scope is compared with. Raises HistoryError."""
        shared = self._reachable()
        if shared is not None:
            try:
                return Baseline(shared.window(environment, scope), shared.anchors(environment))
            except HistoryError as error:
                self._failed(error)
        return Baseline(self._local.window(environment, scope), self._local.anchors(environment))

    def accept(
        self,
        environment: Environment,
        commit: Commit,
        figures: Collection[tuple[str, Figures]],
        accepted_s: float = 0.0,
    ) -> None:
        """See `Store.accept`."""
        self._local.accept(environment, commit, figures, accepted_s)
        shared = self._reachable()
        if shared is not None:
            try:
                shared.accept(environment, commit, figures, accepted_s)
            except HistoryError as error:
                self._failed(error)

    def reader(self) -> Store:
        """The shared store if it can be reached, otherwise that of this machine."""
        return self._reachable() or self._local

    def close(self) -> None:
        """Close both."""
        self._local.database.close()
        self._disconnect()

    def _reachable(self) -> Store | None:
        if self._url and self._shared is None and time.monotonic() >= self._next_try_s:
            from .postgresql import PostgreSQL  # asyncpg takes a while to import

            try:
                self._shared = Store(PostgreSQL(self._url))
            except HistoryError as error:
                self._failed(error)
        return self._shared

    def _failed(self, error: HistoryError) -> None:
        """Continue without the server for a while."""
        self._disconnect()
        self._next_try_s = time.monotonic() + RETRY_S
        self.notices.append(f"{error} Runs are kept on this machine and sent later.")

    def _disconnect(self) -> None:
        if self._shared is not None:
            self._shared.database.close()
            self._shared = None
