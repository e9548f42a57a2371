"""Suspected tests are measured again by real runs."""

import sys
from pathlib import Path

from support.history import MS
from support.projects import write

from tdd_monitor.config import Settings
from tdd_monitor.history.rows import Figures, Result
from tdd_monitor.history.sqlite import SQLite
from tdd_monitor.history.store import WINDOW, Store
from tdd_monitor.runner.confirmation import confirm
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.pytest_process.launch import Target
from tdd_monitor.runner.selection import Selection
from tdd_monitor.verdict.confirmation import FEW_ROUNDS
from tdd_monitor.verdict.regressions import State

# `slow` has become slower, `unlucky` was slow in one process only, `once` cannot be repeated.
SOURCE = """
import os, pathlib, time

FIRST = not pathlib.Path(__file__).with_name("ran").exists()
calls = []

def test_same(): time.sleep(0.04)
def test_slow(): time.sleep(0.12)
def test_unlucky(): time.sleep(0.12 if FIRST else 0.02)
def test_once():
    calls.append(1)
    time.sleep(0.12)
    assert len(calls) == 1
"""


def engine(root: Path) -> Engine:
    target = Target(sys.executable, write(root, test_it=SOURCE), ("tests",))
    return Engine(Settings(root=root), target)


async def run(root: Path) -> Engine:
    made = engine(root)
    await made.open()
    try:
        assert await made.run_once(Selection("run")) == 0
    finally:
        await made.stop()
    return made


def remember_earlier_runs(root: Path) -> None:
    """As many runs in the same environment as are compared, in which every test took 40 ms."""
    store = Store(SQLite(root))
    (row,) = store.runs()
    usual = Figures(40 * MS, MS, 0)
    results = [Result(nodeid, "passed", 1, usual) for nodeid in store.node_ids()]
    for number in range(WINDOW):
        store.add(row._replace(uuid=f"earlier-{number}"), results)


async def test_only_tests_that_are_slow_every_time_are_regressed(tmp_path: Path) -> None:
    await run(tmp_path)
    remember_earlier_runs(tmp_path)
    made = await run(tmp_path)
    judgement = made.board.judgement
    assert judgement is not None
    names = {nodeid.partition("::test_")[2]: state for nodeid, state in judgement.states.items()}
    suspected = {name for name, state in names.items() if state is State.SUSPECTED}
    assert suspected == {"slow", "unlucky", "once"}
    (tmp_path / "tests" / "ran").touch()
    told: list[str] = []
    await confirm(made.settings, made.target, made.board, told.append)
    assert len(told) == FEW_ROUNDS
    assert made.board.judgement is not None
    states = made.board.judgement.states
    assert {nodeid.partition("::test_")[2]: state for nodeid, state in states.items()} == {
        "same": State.OK,
        "slow": State.REGRESSED,
        "unlucky": State.OK,
        "once": State.SUSPECTED,
    }
    assert len(Store(SQLite(tmp_path)).runs()) == 2 + WINDOW  # the repetitions are not kept
