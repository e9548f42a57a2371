"""The baseline of each test, and how the last run differs from it."""

from collections.abc import Collection, Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tdd_monitor import figures
from tdd_monitor.history.rows import Figures, Result
from tdd_monitor.terminal import visible
from tdd_monitor.verdict import wording
from tdd_monitor.verdict.compared import EXACT, MIN_FACTOR, MIN_MS, NOISY


def print_accepted(
    accepted: Mapping[str, Figures], committed: Collection[str], environment: str, console: Console
) -> None:
    """One line per test; a check mark where its counts are in the committed file."""
    console.print(Text(f"Durations: {environment}", "dim"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("duration", "cpu", *EXACT, "committed"):
        table.add_column(wording.word(column), justify="right")
    table.add_column("test", overflow="fold")
    for nodeid, each in sorted(accepted.items()):
        durations = [figures.nanoseconds(ns) if ns else "-" for ns in (each.wall_ns, each.cpu_ns)]
        counts = ["-" if (count := value(each)) is None else str(count) for value in EXACT.values()]
        mark = "✓ yes" if nodeid in committed else "no"
        table.add_row(*durations, *counts, mark, visible(nodeid))
    console.print(table)


def print_differences(
    results: Mapping[str, Result], accepted: Mapping[str, Figures], console: Console
) -> None:
    """What differs, one line per metric and test."""
    passed = {nodeid: result.figures for nodeid, result in results.items() if result.comparable}
    table = Table(box=None, pad_edge=False)
    for column in ("metric", "baseline", "last run"):
        table.add_column(column)
    table.add_column("test", overflow="fold")
    for nodeid in sorted(passed.keys() & accepted):
        for metric, before, after in _differences(accepted[nodeid], passed[nodeid]):
            values = [wording.value(metric, value) for value in (before, after)]
            style = "yellow" if after > before else "green"
            glyph = "▲" if after > before else "▼"
            table.add_row(f"{glyph} {wording.word(metric)}", *values, visible(nodeid), style=style)
    if table.row_count:
        console.print(table)
    else:
        console.print("No difference in counts, and no duration changed by more than 25% and 5 ms.")
    new, gone = sorted(passed.keys() - accepted), sorted(accepted.keys() - results)
    for nodeids, what in ((new, "without a baseline"), (gone, "in the baseline that did not run")):
        if nodeids:
            shown = ", ".join(map(visible, nodeids[:3])) + (", ..." if len(nodeids) > 3 else "")
            console.print(Text(f"{figures.plural(len(nodeids), 'test')} {what}: {shown}"), soft_wrap=True)


def _differences(before: Figures, after: Figures) -> Iterator[tuple[str, float, float]]:
    for metric, count in EXACT.items():
        old, new = count(before), count(after)
        if old is not None and new is not None and old != new:
            yield metric, old, new
    for metric, duration in NOISY.items():
        low, high = sorted((duration(before), duration(after)))
        if low and high > low * MIN_FACTOR and high - low > MIN_MS:
            yield metric, duration(before), duration(after)
