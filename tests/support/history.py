"""Runs and results as the history keeps them."""

from pathlib import Path

from tdd_monitor.history.commit import Commit
from tdd_monitor.history.environment import Environment
from tdd_monitor.history.rows import Figures, Result, RunRow
from tdd_monitor.history.sqlite import SQLite
from tdd_monitor.history.store import Past, Store

HERE = Environment("a CPU", "3.12", "pytest-cov xdist", 2, False, "")
COMMIT = Commit("c0ffee00c0ffee", "main", True)
MS = 1_000_000


def run(number: int, environment: Environment = HERE, scope: str = "all", commit: Commit = COMMIT) -> RunRow:
    """Run `number`, of one test, which passed."""
    return RunRow(f"run-{number}", 1e9 + number, 5_000_000, scope, 0, environment, commit, 1, 0)


def result(
    nodeid: str = "a.py::t", wall_ns: int = 7, outcome: str = "passed", attempts: int = 1, queries: int = 2
) -> Result:
    """A test that computed for 5 ns and freed 3 bytes."""
    return Result(nodeid, outcome, attempts, Figures(wall_ns, 5, -3, queries=queries, ddl=0))


def past(number: int, commit: str = "c0", dirty: bool = False, **of_result: object) -> Past:
    """A test's result in run `number`, on this commit."""
    return Past(run(number, commit=Commit(commit, "main", dirty)), result(**of_result))  # type: ignore[arg-type]


def stored(root: Path, *results: Past) -> None:
    """Write these into the history of the project at `root`."""
    store = Store(SQLite(root))
    for each in results:
        store.add(each.run, [each.result])
    store.database.close()
