"""Keeps each run in the history, without delaying the screen."""

import asyncio
import time
import traceback
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tdd_monitor.history import commit, environment, rows
from tdd_monitor.history.committed import CommittedBaseline
from tdd_monitor.history.database import HistoryError
from tdd_monitor.history.environment import Environment
from tdd_monitor.history.project import Baseline, ProjectHistory
from tdd_monitor.history.rows import Figures, Finished, Result, RunRow
from tdd_monitor.session.model import Session
from tdd_monitor.verdict import regressions
from tdd_monitor.verdict.regressions import Judgement


class HistoryWriter:
    """Adds runs to the history of the project at `root`, in a thread of its own, and judges them by it.

    `url` is the server of a shared history, or "". It never fails or delays a run: problems go to
    `report`, and the next run tries again. `judged` gets the id and the judgement of each run.
    """

    def __init__(
        self,
        root: Path,
        url: str,
        report: Callable[[str], None],
        judged: Callable[[str, Judgement], None],
    ) -> None:
        self._root = root
        self._url = url
        self._report = report
        self._judged = judged
        self._thread = ThreadPoolExecutor(1, "history")  # one at a time
        self._history: ProjectHistory | None = None
        self._writing: set[asyncio.Task[None]] = set()

    def add(self, session: Session) -> None:
        """Keep the current run, which has ended. Returns at once."""
        where, run = environment.of_run(session), session.run
        if where is not None and run is not None:
            tests = rows.finished(session)  # a copy, because the next run changes the session
            self._begin(self._add(rows.of_run(run, where, tests), tests))

    def accept(self, session: Session, nodeids: Collection[str], done: Callable[[list[str]], None]) -> None:
        """Make figures of the current run the baseline of these tests; returns at once.

        `done` gets the node ids of those that could be accepted: tests that passed at their first attempt.
        """
        where = environment.of_run(session)
        results = [test.result() for test in rows.finished(session) if test.nodeid in nodeids]
        found = [(result.nodeid, result.figures) for result in results if result.comparable]
        if where is None or not found:
            done([])
        else:
            self._begin(self._accept(where, found, done))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._reported(work))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _reported(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except HistoryError as error:
            self._report(str(error))
        except Exception as error:  # noqa: BLE001 - reported to the user; the run itself has ended well
            reason = traceback.format_exception_only(error)[-1].strip()
            self._report(f"The history failed: {reason}.")

    async def close(self) -> None:
        """Wait until everything is on disk."""
        await asyncio.gather(*self._writing)
        if self._history is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _accept(
        self,
        where: Environment,
        found: list[tuple[str, Figures]],
        done: Callable[[list[str]], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._write_accepted, where, found)
        done([nodeid for nodeid, _ in found])

    def _write_accepted(self, where: Environment, found: list[tuple[str, Figures]]) -> None:
        CommittedBaseline(self._root).accept(found, all_tests=False)
        self._opened().accept(where, commit.checked_out(self._root), found, time.time())

    async def _add(self, run: RunRow, tests: list[Finished]) -> None:
        loop = asyncio.get_running_loop()
        judgement, notices = await loop.run_in_executor(self._thread, self._write, run, tests)
        if judgement is not None:
            self._judged(run.uuid, judgement)
        for notice in notices:
            self._report(notice)

    def _write(self, run: RunRow, tests: list[Finished]) -> tuple[Judgement | None, list[str]]:
        """Judge and write the run, in the thread; returns notices for the user too."""
        judgement = None
        try:
            history = self._opened()
            run = run._replace(commit=commit.checked_out(self._root))
            results = [test.result() for test in tests]
            baseline = history.baseline(run.environment, run.scope)
            accepted, notices = self._with_committed(baseline)
            judgement = regressions.judge(results, baseline.window, accepted)
            history.add(run, results)
            if run.scope == "all":
                _set_baselines(history, run, results, baseline)
            notices += history.notices
            history.notices = []
            return judgement, notices
        except HistoryError as error:
            self._close()
            return judgement, [str(error)]

    def _opened(self) -> ProjectHistory:
        if self._history is None:
            self._history = ProjectHistory(self._root, self._url)
        return self._history

    def _with_committed(self, baseline: Baseline) -> tuple[dict[str, Figures], list[str]]:
        """The accepted figures, and why the committed ones among them are not used."""
        try:
            return CommittedBaseline(self._root).added_to(baseline.accepted), []
        except HistoryError as error:
            return baseline.accepted, [str(error)]

    def _close(self) -> None:
        if self._history is not None:
            self._history.close()
            self._history = None


def _set_baselines(history: ProjectHistory, run: RunRow, results: list[Result], baseline: Baseline) -> None:
    for result in results:
        if result.comparable:
            earlier = baseline.window.setdefault(result.nodeid, {})
            earlier[max(earlier, default=0) + 1] = result.figures
    found = regressions.to_accept(baseline.window, baseline.accepted)
    if found:
        history.accept(run.environment, run.commit, found)
