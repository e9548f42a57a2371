"""A benchmark's report on the console: a table against targets and the raw driver, histograms."""

from rich.table import Table
from rich.text import Text

from tdd_monitor.bench.measurement import ADVICE, Report

BARS = "▁▂▃▄▅▆▇█"
BUCKETS = 16


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


def table(report: Report, width: int) -> Table:
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


def histograms(report: Report) -> Table:
    """A histogram per operation, from the fastest to the 95th percentile."""
    result = _plain_table("from the fastest to p95")
    result.add_column("operation", no_wrap=True)
    for each in report.measurements:
        low, high = f"{min(each.samples_ms):.3f}", f"{each.p95_ms:.3f} ms"
        result.add_row(each.operation, Text(f"{low:>8} {histogram(each.samples_ms)} {high}"))
    return result


def _plain_table(title: str) -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=title, title_justify="left")


def verdict(report: Report) -> str:
    """How many targets were met, the grade, what to do."""
    parallel = next((m.efficiency for m in report.measurements if m.efficiency is not None), 0.0)
    return (
        f"{report.targets_met} of {len(report.measurements)} targets met, "
        f"{report.success_rate:.1f}% of the samples: {report.recommendation}. "
        f"{ADVICE[report.recommendation]}\n"
        f"Ten tests at once: {parallel:.1f} ran at a time on average."
    )
