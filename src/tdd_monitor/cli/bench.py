"""`tdd-monitor bench`: the toolkit's operations on this machine's PostgreSQL, against their targets."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from tdd_monitor.bench.measurement import Report


@click.command()
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the report to FILE as JSON.",
)
@click.option("--against", default="", help="URL of a server to measure instead of the embedded one.")
@click.option("--strict", is_flag=True, help="Exit with 1 when a target is missed.")
@click.option(
    "--runs",
    type=click.FloatRange(min=0.01),
    default=1.0,
    show_default=True,
    help="Multiplier for sample counts.",
)
def bench(json_file: Path | None, against: str, strict: bool, runs: float) -> None:
    """Benchmark the toolkit against its targets and raw asyncpg."""
    import asyncpg

    from tdd_monitor.reports import bench as report_on
    from tdd_monitor.reports.output import make_console
    from tdd_monitor.testing.postgres import EmbeddedPostgresError

    if against:
        os.environ["TDD_MONITOR_DATABASE_URL"] = against
    console = make_console()
    try:
        report = _measure(console, runs)
    except (EmbeddedPostgresError, OSError, asyncpg.PostgresError) as error:
        raise UsageError(f"The benchmark has no server to measure: {error}") from error
    console.print(report_on.table(report, console.width))
    console.print(report_on.legend(report, console.width), style="dim", highlight=False)
    console.print(report_on.histograms(report))
    console.print(report_on.verdict(report))
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"Cannot write {json_file}: {error.strerror}.") from error
    if strict and report.has_missed:
        sys.exit(1)


def _measure(console: "Console", runs: float) -> "Report":
    import asyncio

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    from tdd_monitor.bench.comparison import Comparison

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description:25}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:

        def on_progress(operation: str, done: int, total: int) -> None:
            if operation not in tasks:
                tasks[operation] = progress.add_task(operation, total=total)
            progress.update(tasks[operation], completed=done)

        return asyncio.run(Comparison(runs, on_progress).run())
