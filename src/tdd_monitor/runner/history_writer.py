"""Keeps each run in the history, without delaying the screen."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tdd_monitor.history import commit, environment, rows
from tdd_monitor.history.database import HistoryError
from tdd_monitor.history.rows import Finished, RunRow
from tdd_monitor.history.sqlite import SQLite
from tdd_monitor.history.store import Store
from tdd_monitor.session.model import Session


class HistoryWriter:
    """Adds runs to the history of the project at `root`, in a thread of its own.

    It never fails or delays a run: problems go to `report`, and the next run tries again.
    """

    def __init__(self, root: Path, report: Callable[[str], None]) -> None:
        self._root = root
        self._report = report
        self._thread = ThreadPoolExecutor(1, "history")  # one at a time
        self._store: Store | None = None
        self._writing: set[asyncio.Task[None]] = set()

    def add(self, session: Session) -> None:
        """Keep the current run, which has ended. Returns at once."""
        where, run = environment.of_run(session), session.run
        if where is not None and run is not None:
            tests = rows.finished(session)  # a copy, because the next run changes the session
            task = asyncio.create_task(self._add(rows.of_run(run, where, tests), tests))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Wait until everything is on disk."""
        await asyncio.gather(*self._writing)
        self._thread.shutdown()
        self._close_store()

    async def _add(self, run: RunRow, tests: list[Finished]) -> None:
        notice = await asyncio.get_running_loop().run_in_executor(self._thread, self._write, run, tests)
        if notice:
            self._report(notice)

    def _write(self, run: RunRow, tests: list[Finished]) -> str:
        """In the thread: write, and return what the user should know."""
        try:
            notice = ""
            if self._store is None:
                database = SQLite(self._root)
                self._store, notice = Store(database), database.notice
            run = run._replace(commit=commit.checked_out(self._root))
            self._store.add(run, [test.result() for test in tests])
            return notice
        except HistoryError as error:
            self._close_store()
            return str(error)

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.database.close()
            self._store = None
