"""Keeps each run in the history, without delaying the screen."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tdd_monitor.history import commit, environment, rows
from tdd_monitor.history.database import HistoryError
from tdd_monitor.history.project import ProjectHistory
from tdd_monitor.history.rows import Finished, RunRow
from tdd_monitor.session.model import Session


class HistoryWriter:
    """Adds runs to the history of the project at `root`, in a thread of its own.

    `url` is the server of a shared history, or "". It never fails or delays a run: problems go to
    `report`, and the next run tries again.
    """

    def __init__(self, root: Path, url: str, report: Callable[[str], None]) -> None:
        self._root = root
        self._url = url
        self._report = report
        self._thread = ThreadPoolExecutor(1, "history")  # one at a time
        self._history: ProjectHistory | None = None
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
        if self._history is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _add(self, run: RunRow, tests: list[Finished]) -> None:
        loop = asyncio.get_running_loop()
        for notice in await loop.run_in_executor(self._thread, self._write, run, tests):
            self._report(notice)

    def _write(self, run: RunRow, tests: list[Finished]) -> list[str]:
        """Write the run, in the thread; returns notices for the user."""
        try:
            if self._history is None:
                self._history = ProjectHistory(self._root, self._url)
            run = run._replace(commit=commit.checked_out(self._root))
            self._history.add(run, [test.result() for test in tests])
            notices, self._history.notices = self._history.notices, []
            return notices
        except HistoryError as error:
            self._close()
            return [str(error)]

    def _close(self) -> None:
        if self._history is not None:
            self._history.close()
            self._history = None
