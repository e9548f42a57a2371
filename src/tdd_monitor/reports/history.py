"""The history of the project, or of one test, as tables."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tdd_monitor import figures
from tdd_monitor.history.commit import Commit
from tdd_monitor.history.rows import RunRow
from tdd_monitor.history.store import Past
from tdd_monitor.verdict import wording
from tdd_monitor.verdict.trends import Change, Trend

_HASH_LENGTH = 8


def print_runs(runs: Sequence[RunRow], console: Console) -> None:
    """The newest runs, newest first."""
    table = Table(box=None, pad_edge=False)
    for column in ("started", "commit"):
        table.add_column(column, no_wrap=True)
    table.add_column("scope", no_wrap=True)
    for column in ("tests", "failed", "duration"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("environment", overflow="fold")
    for run in runs:
        tests = f"{run.tests:,}"
        failed = Text(str(run.failed), "bold red" if run.failed else "")
        duration = figures.nanoseconds(run.duration_ns)
        table.add_row(
            _date(run), _commit(run.commit), run.scope, tests, failed, duration, str(run.environment)
        )
    console.print(table)


def print_test(nodeid: str, trends: Sequence[Trend], console: Console, limit: int) -> None:
    """The last `limit` runs of one test in each environment, its changes and its flakiness."""
    console.print(Text(nodeid, "bold"), soft_wrap=True)
    for trend in trends:
        console.print()
        console.print(Text(str(trend.environment), "dim"), soft_wrap=True)
        console.print(_table(trend.past[-limit:]))
        comparable = trend.comparable
        if len(comparable) > 1:
            _sparkline(comparable, console)
        for change in trend.changes:
            console.print(Text(change_text(change), "yellow" if change.after > change.before else "green"))
        for commit in trend.flaky_commits:
            console.print(Text(f"Flaky: passed and failed on {commit[:_HASH_LENGTH]}.", "yellow"))


def change_text(change: Change) -> str:
    """For example "Since 1f3c9a2e (2026-11-20 14:03): duration 20 ms -> 41 ms (2.1x, p = 0.005)"."""
    commit = _commit(change.run.commit) or "the run"
    values = wording.change(change.metric, change.before, change.after)
    details = [figures.factor(change.after / change.before)] if change.before else []
    if change.p_value:
        details.append(f"p = {change.p_value:.3f}")
    more = f" ({', '.join(details)})" if details else ""
    return f"Since {commit} ({_date(change.run)}): {wording.word(change.metric)} {values}{more}"


def _table(past: Sequence[Past]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("started", "commit", "outcome"):
        table.add_column(column, no_wrap=True)
    for column in ("own", "cpu", "memory", "queries"):
        table.add_column(column, justify="right", no_wrap=True)
    for run, result in past:
        outcome = result.outcome + (f", attempt {result.attempts}" if result.attempts > 1 else "")
        measured = result.figures
        table.add_row(
            _date(run),
            _commit(run.commit),
            Text(outcome, "" if result.comparable else "yellow"),
            figures.nanoseconds(measured.wall_ns),
            figures.nanoseconds(measured.cpu_ns),
            figures.size(measured.memory_bytes, signed=True),
            "-" if measured.queries is None else str(measured.queries),
        )
    return table


def _sparkline(past: Sequence[Past], console: Console) -> None:
    values = [each.result.figures.wall_ns for each in past][-(console.width - 40) :]
    (line,) = figures.sparkline(values, 1, 0, max(values))
    low, high = figures.nanoseconds(min(values)), figures.nanoseconds(max(values))
    console.print(Text(f"Duration, oldest first: {line}  {low} to {high}"))


def _date(run: RunRow) -> str:
    return datetime.fromtimestamp(run.started_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _commit(commit: Commit) -> str:
    return commit.hash[:_HASH_LENGTH] + ("+" if commit.hash and commit.dirty else "")
