"""A run without a screen: one live line on a terminal, plain lines elsewhere, a summary at the end."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tdd_monitor import figures
from tdd_monitor.session import completeness, metrics, queries
from tdd_monitor.session.model import FAILURES, Delta, Run, RunState
from tdd_monitor.session.pool_life import labels
from tdd_monitor.terminal import plain_lines, visible
from tdd_monitor.verdict import Alert, Board, Severity, wording

from . import pytest_messages, regressions
from .results import counts_text

if TYPE_CHECKING:
    from rich.progress import Progress

SLOWEST = 10
MAX_POOLS = 20
STYLES = {
    "passed": "green",
    "failed": "bold red",
    "error": "bold red",
    "lost": "bold red",
    "skipped": "yellow",
}


class Reporter:
    """Prints progress and failures live; subscribe `on_delta` to the engine."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._reported: set[str] = set()
        self._tenth = 0
        self._progress = _live_line(console) if console.is_terminal else None

    def __enter__(self) -> "Reporter":
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def on_delta(self, delta: Delta) -> None:
        """Print new failures at once and update the progress."""
        run = self._board.session.run
        if run is None:
            return
        for nodeid in sorted(delta.items):
            item = self._board.session.items.get(nodeid)
            if (
                item
                and item.outcome in FAILURES
                and item.record_run == run.number
                and nodeid not in self._reported
            ):
                self._reported.add(nodeid)
                self._console.print(Text(f"{item.outcome.upper()} {visible(nodeid)}", STYLES[item.outcome]))
        if self._progress is not None:
            description = run.state.value if not run.done else counts_text(run.counts)
            self._progress.update(
                self._progress.task_ids[0],
                completed=run.done,
                total=run.expected or None,
                description=description,
            )
        elif run.expected and run.done * 10 // run.expected > self._tenth:
            self._tenth = run.done * 10 // run.expected
            self._console.print(f"{run.done}/{run.expected} {counts_text(run.counts)}", highlight=False)


def _live_line(console: Console) -> "Progress":
    # Imported here because only a terminal needs it, and the import takes 15 ms.
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task("starting", total=None)
    return progress


def summary(
    board: Board,
    console: Console,
    exitcode: int,
    notices: Iterable[str] = (),
    output: Sequence[str] = (),
) -> None:
    """Print failures, slowest tests, alerts, memory, pools and servers, then pytest's own output.

    The reason for the exit code and the counts come last. `output` is everything that pytest printed.
    """
    run = board.session.run
    if run is None:
        for notice in notices:
            console.print(Text("\n".join(plain_lines(notice))), soft_wrap=True)
        return
    _failures(board, run, console)
    _slowest(board, console)
    _alerts(board, console)
    if board.judgement is not None:
        regressions.print_judgement(board.judgement, console)
    _memory(board, console)
    _unwatched(board, run, console)
    _pools(board, console)
    _servers(board, console)
    pytest_messages.print_messages(run, console, output)
    pytest_messages.print_advice(((each.category, each.message) for each in board.session.warnings), console)
    for notice in notices:
        console.print(Text("\n".join(plain_lines(notice)), "yellow"), soft_wrap=True)
    problems = completeness.problems(run)
    for problem in problems:
        console.print(Text(f"INCOMPLETE: {problem}", "bold red"))
    if problems:
        console.print(Text(completeness.ADVICE, "red"))
    reason = pytest_messages.unexplained(run)
    if reason:
        console.print(Text(reason, "bold red"))
    _last_line(run, console, exitcode)


def _failures(board: Board, run: Run, console: Console) -> None:
    for error in run.collect_errors:
        console.rule(Text(f"ERROR collecting {visible(error.nodeid)}"), style="red")
        console.print(_captured(error.longrepr))
    for nodeid in queries.failed(board.session):
        item = board.session.items[nodeid]
        if item.record_run != run.number:
            continue
        console.rule(Text(f"{item.outcome.upper()} {visible(nodeid)}"), style="red")
        if item.outcome == "lost" or item.record is None:
            console.print("Running when pytest died")
            continue
        console.print(_captured(metrics.longrepr(item.record)))
        for phase in item.record.phases:
            for section in phase.sections:
                console.print(Text(f"--- {visible(section.title)} ---", "dim"))
                console.print(_captured(section.text))


def _captured(text: str) -> Text:
    return Text("\n".join(plain_lines(text)))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        text = column in ("test", "what")
        table.add_column(column, justify="left" if text else "right", overflow="fold" if text else "ellipsis")
    return table


def _slowest(board: Board, console: Console) -> None:
    items = queries.top(board.session, metrics.own_ns, SLOWEST)
    if not items:
        return
    spread = queries.durations(board.session)
    title = (
        f"Slowest tests (p50 {spread.p50_ms:.1f} ms, p95 {spread.p95_ms:.1f} ms, max {spread.max_ms:.1f} ms; "
        "without shared fixtures)"
    )
    table = _table(title, "own ms", "cpu ms", "setup", "call", "teardown", "test")
    for item in items:
        assert item.record is not None
        phases = [metrics.phase(item.record, when) for when in ("setup", "call", "teardown")]
        table.add_row(
            f"{item.own_ns / figures.NS_PER_MS:.1f}",
            f"{metrics.cpu_ns(item.record) / figures.NS_PER_MS:.1f}",
            *(f"{metrics.phase_ns(phase) / figures.NS_PER_MS:.1f}" if phase else "" for phase in phases),
            Text(visible(item.nodeid)),
        )
    console.print(table)


def _alerts(board: Board, console: Console) -> None:
    alerts = board.alerts()
    if not alerts:
        return
    table = _table(f"Over threshold ({len(alerts)})", "severity", "value", "limit", "what", "test")
    for alert in alerts[: 2 * SLOWEST]:
        style = "red" if alert.severity is Severity.CRITICAL else "yellow"
        table.add_row(
            Text(("!! " if alert.severity is Severity.CRITICAL else "! ") + alert.severity.value, style),
            wording.value(alert.metric, alert.value),
            wording.limit(alert.metric, alert.threshold),
            Text(wording.word(alert.metric)),
            Text(visible(_explained(alert))),
        )
    console.print(table)
    if len(alerts) > 2 * SLOWEST:
        console.print(f"... and {len(alerts) - 2 * SLOWEST} more; see --json for all")


def _explained(alert: Alert) -> str:
    rule = f"(limit: {alert.rule})" if alert.rule else ""
    return "  ".join(filter(None, (alert.subject, alert.detail, rule)))


def _memory(board: Board, console: Console) -> None:
    workers = [worker for worker in board.session.workers.values() if worker.rss_bytes]
    if not workers:
        return
    first = sum(worker.first_rss_bytes for worker in workers)
    warm_up = sum(worker.warm_up_bytes for worker in workers)
    growth = sum(worker.growth_bytes for worker in workers)
    peak = sum(worker.peak_rss_bytes for worker in workers)
    console.print(
        f"Memory: {figures.size(first)} at start, "
        f"{figures.size(warm_up, signed=True)} before the first test, "
        f"{figures.size(growth, signed=True)} during tests, peak {figures.size(peak)}",
        highlight=False,
    )


def _unwatched(board: Board, run: Run, console: Console) -> None:
    items = [item for item in board.session.items.values() if item.record_run == run.number]
    records = [item.record for item in items if item.record is not None and item.record.unwatched]
    if records:
        drivers = sorted({driver for record in records for driver in record.unwatched})
        tests = figures.plural(len(records), "test")
        console.print(
            f"Queries: not measured in {tests} ({', '.join(drivers)})", highlight=False, markup=False
        )


def _pools(board: Board, console: Console) -> None:
    session = board.session
    names = labels(session)
    for key, pool in list(session.pools.items())[:MAX_POOLS]:
        latest = pool.latest
        where = f" on {pool.worker}" if pool.worker else ""
        together = f", {latest.pools:,} pools" if latest.pools > 1 else ""
        console.print(
            f"Pool {names[key]} ({latest.engine}){where}{together}: peak {pool.peak_in_use} of "
            f"{latest.max_size or 'unlimited'} in use, at most {pool.peak_waiting} waiting",
            highlight=False,
            markup=False,
        )
    listed = min(len(session.pools), MAX_POOLS)
    more = len(session.pools) - listed + sum(session.more_pools.values())
    if more:
        console.print(f"... and {figures.plural(more, 'more pool')}", highlight=False)


def _servers(board: Board, console: Console) -> None:
    for server in board.session.servers.values():
        maximum = server.max_connections
        parts = [f"peak {server.peak} of {maximum} connections"] if maximum else []
        if server.latest.reason:
            parts.append(f"not counted: {server.latest.reason}")
        console.print(
            f"Server {server.latest.server}: {', then '.join(parts)}", highlight=False, markup=False
        )


def _last_line(run: Run, console: Console, exitcode: int) -> None:
    seconds = max(0, run.finished_ns - run.requested_ns) / 1e9
    text = f"{counts_text({**run.counts, 'deselected': run.deselected})} in {seconds:.2f} s"
    if run.state is RunState.LOST:
        lost = run.lost
        how = (lost.signal if lost else "") or f"exit code {lost.exitcode if lost else exitcode}"
        text = f"pytest died ({how}): {text}"
    elif run.cancel_reason:
        text += f" (stopped early: {pytest_messages.stopped(run)})"
    if completeness.problems(run):
        text = f"incomplete: {text}"
    console.print(Text(visible(text), "bold green" if exitcode == 0 else "bold red"))
