"""`tdd-monitor bench`: the toolkit's operations on this machine's PostgreSQL, against their targets."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from .options import UsageError
from .run import PLAIN_WIDTH

if TYPE_CHECKING:
    from tdd_monitor.bench import Report

BARS = "▁▂▃▄▅▆▇█"
BUCKETS = 16


@click.command()
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write FILE too.")
@click.option("--against", default="", help="URL of a server to measure instead of the embedded one.")
@click.option("--strict", is_flag=True, help="Exit with 1 when a target is missed.")
@click.option(
    "--runs", type=click.FloatRange(min=0.01), default=1.0, show_default=True, help="Times the samples."
)
def bench(json_file: Path | None, against: str, strict: bool, runs: float) -> None:
    """Measure context, connection, schema and clean-up against their targets and the raw driver."""
    import asyncpg

    from tdd_monitor.testing.postgres import EmbeddedPostgresError

    if against:
        os.environ["TDD_MONITOR_DATABASE_URL"] = against
    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    try:
        report = _measure(console, runs)
    except (EmbeddedPostgresError, OSError, asyncpg.PostgresError) as error:
        raise UsageError(f"The benchmark has no server to measure: {error}") from error
    console.print(table(report, console.width))
    console.print(histograms(report))
    console.print(_verdict(report))
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"Cannot write {json_file}: {error.strerror}.") from error
    if strict and report.targets_met < len(report.measurements):
        sys.exit(1)


def _measure(console: Console, runs: float) -> "Report":
    from tdd_monitor.bench import TDDPerformanceBenchmark

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:

        def on_progress(operation: str, done: int, total: int) -> None:
            if operation not in tasks:
                tasks[operation] = progress.add_task(operation, total=total)
            progress.update(tasks[operation], completed=done)

        return asyncio.run(TDDPerformanceBenchmark(runs).run(on_progress))


def histogram(samples_ms: tuple[float, ...]) -> str:
    """The samples between their minimum and 95th percentile as a row of bars; slower ones in the last."""
    ordered = sorted(samples_ms)
    low, high = ordered[0], ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]
    width = (high - low) / BUCKETS or 1.0
    counts = [0] * BUCKETS
    for sample_ms in ordered:
        counts[min(BUCKETS - 1, int((sample_ms - low) / width))] += 1
    most = max(counts)
    return "".join(BARS[-(-count * (len(BARS) - 1) // most)] if count else " " for count in counts)


def table(report: "Report", width: int) -> Table:
    """One row an operation; times in milliseconds. Below 110 characters without extremes."""
    columns = (
        ("mean", "median", "p95", "min", "max", "std_dev") if width >= 110 else ("mean", "median", "p95")
    )
    result = _plain_table("milliseconds")
    result.add_column("operation", no_wrap=True)
    for column in (*columns, "raw", "x raw", "target", ""):
        result.add_column(column, justify="right", no_wrap=True)
    for each in report.measurements:
        values = each.as_dict()
        result.add_row(
            each.operation,
            *(f"{values[name]:.3f}" for name in columns),
            f"{values['floor_median']:.3f}",
            f"{values['floor_ratio']:.2f}",
            f"{values['target']:g}",
            Text("✓ met", "green") if each.target_achieved else Text("✗ missed", "bold red"),
        )
    return result


def histograms(report: "Report") -> Table:
    """A histogram per operation, from the fastest to the 95th percentile."""
    result = _plain_table("from the fastest to p95")
    result.add_column("operation", no_wrap=True)
    for each in report.measurements:
        low, high = f"{min(each.samples_ms):.3f}", f"{each.p95_ms:.3f} ms"
        result.add_row(each.operation, Text(f"{low:>8} {histogram(each.samples_ms)} {high}"))
    return result


def _plain_table(title: str) -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=title, title_justify="left")


def _verdict(report: "Report") -> str:
    from tdd_monitor.bench.measurement import ADVICE

    parallel = next((m.efficiency for m in report.measurements if m.efficiency is not None), 0.0)
    return (
        f"{report.targets_met} of {len(report.measurements)} targets met, "
        f"{report.success_rate:.1f}% of the samples: {report.recommendation}. "
        f"{ADVICE[report.recommendation]}\n"
        f"Ten tests at once: {parallel:.1f} ran at a time on average."
    )
