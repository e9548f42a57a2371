"""Every run is kept in the history, and a history that cannot be written changes no run."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.projects import MIXED, write

from tdd_monitor.config import Settings
from tdd_monitor.history.committed import CommittedBaseline
from tdd_monitor.history.environment import cpu_model
from tdd_monitor.history.rows import Figures, Result
from tdd_monitor.history.sqlite import DIRECTORY, SQLite
from tdd_monitor.history.store import Store
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.pytest_process.launch import Target
from tdd_monitor.runner.selection import Selection
from tdd_monitor.testing.measuring.baseline_file import BASELINE_FILE
from tdd_monitor.verdict.regressions import MIN_SAMPLES, Judgement, State

WAITS = "import time\ndef test_waits(): time.sleep(0.02)"


def engine(
    root: Path, *args: str, source: str = MIXED, memory: str = "rss", history: str = "local"
) -> Engine:
    target = Target(sys.executable, write(root, test_it=source), ("tests",), args, memory)
    return Engine(Settings(root=root, history=history), target)


def commit_all(root: Path) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for command in (("init", "-q", "-b", "trunk"), ("add", "."), (*who, "commit", "-qm", "first")):
        subprocess.run(["git", "-C", root, *command], check=True)


async def runs_to_end(made: Engine, *selections: Selection) -> list[int]:
    await made.open()
    try:
        return [await made.run_once(selection) for selection in selections]
    finally:
        await made.stop()


async def test_each_run_is_kept_with_its_environment_and_commit(tmp_path: Path) -> None:
    made = engine(tmp_path)
    commit_all(tmp_path)
    await runs_to_end(made, Selection("all"), Selection("one", ("tests/test_it.py::test_passes",)))
    partial, full = Store(SQLite(tmp_path)).runs()
    assert (full.scope, full.exitstatus, full.tests, full.failed) == ("all", 1, 7, 3)
    assert (partial.scope, partial.exitstatus, partial.tests, partial.failed) == ("some", 0, 1, 0)
    assert full.environment == partial.environment
    assert (full.environment.cpu, full.environment.workers) == (cpu_model(), 0)
    assert (full.commit.branch, full.commit.dirty, len(full.commit.hash)) == ("trunk", False, 40)
    assert full.duration_ns > 0


async def test_workers_plugins_and_instruments_are_another_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    await runs_to_end(engine(tmp_path, "-n", "1", memory="gc"), Selection("all"))
    (run,) = Store(SQLite(tmp_path)).runs()
    assert (run.environment.workers, run.environment.instruments) == (1, "gc")
    assert {"pytest-asyncio", "pytest-xdist"} <= set(run.environment.plugins.split())


async def test_a_run_is_judged_by_earlier_ones(tmp_path: Path) -> None:
    first = engine(tmp_path, source=WAITS)
    await runs_to_end(first, Selection("first"))
    (nodeid,) = first.board.session.items
    assert first.board.judgement == Judgement(None, {nodeid: State.LEARNING})
    store = Store(SQLite(tmp_path))
    (row,) = store.runs()
    for number in range(MIN_SAMPLES):
        store.add(row._replace(uuid=f"earlier-{number}"), [Result(nodeid, "passed", 1, Figures(1, 1, 0))])
    second = engine(tmp_path, source=WAITS)
    await runs_to_end(second, Selection("second"))
    assert second.board.judgement is not None
    assert second.board.judgement.states == {nodeid: State.SUSPECTED}
    assert store.anchors(row.environment)[nodeid].wall_ns == 1


async def test_accepted_figures_are_the_baseline(tmp_path: Path) -> None:
    made = engine(tmp_path)
    await made.open()
    try:
        await made.run_once(Selection("run"))
        nodeids = ["tests/test_it.py::test_passes", "tests/test_it.py::test_fails"]
        made.accept(nodeids[1:])
        made.accept(nodeids)
    finally:
        await made.stop()
    assert [text.partition(":")[0] for text in made.notices] == ["No new baseline", "New baseline"]
    assert list(CommittedBaseline(tmp_path).counts()) == nodeids[:1]
    (row,) = Store(SQLite(tmp_path)).runs()
    assert list(Store(SQLite(tmp_path)).anchors(row.environment)) == nodeids[:1]


async def test_a_failure_of_the_history_is_reported_and_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tdd_monitor.verdict.regressions.judge", lambda *_: 1 / 0)
    made = engine(tmp_path)
    assert await runs_to_end(made, Selection("run")) == [1]
    assert "The history failed: ZeroDivisionError: division by zero." in made.notices


async def test_committed_counts_judge_the_first_run(tmp_path: Path) -> None:
    made = engine(tmp_path, source=WAITS)
    (tmp_path / BASELINE_FILE).write_text('{"tests/test_it.py::test_waits [queries]": 3}')
    await runs_to_end(made, Selection("first"))
    assert made.board.judgement is not None
    (verdict,) = made.board.judgement.verdicts
    assert (verdict.metric, verdict.state, verdict.before) == ("queries", State.IMPROVED, 3)


async def test_a_damaged_baseline_is_reported_and_changes_no_run(tmp_path: Path) -> None:
    made = engine(tmp_path, source=WAITS)
    (tmp_path / BASELINE_FILE).write_text("{")
    assert await runs_to_end(made, Selection("first")) == [0]
    assert made.board.judgement is not None
    assert [text for text in made.notices if BASELINE_FILE in text and "Delete or restore it" in text]


async def test_a_history_that_cannot_be_written_is_reported_and_changes_no_run(tmp_path: Path) -> None:
    made = engine(tmp_path)
    (tmp_path / DIRECTORY).write_text("in the way")
    assert await runs_to_end(made, Selection("first"), Selection("second")) == [1, 1]
    assert [text for text in made.notices if "history" in text] == [
        f"No history is kept: {tmp_path / DIRECTORY}: File exists."
    ]


async def test_no_history_is_kept_where_it_is_off(tmp_path: Path) -> None:
    await runs_to_end(engine(tmp_path, history="off"), Selection("all"))
    assert not (tmp_path / DIRECTORY).exists()
