"""Prints a benchmark's results: a comparison with targets and the raw driver, histograms."""

from rich.table import Table
from rich.text import Text

from tdd_monitor import figures
from tdd_monitor.bench.measurement import Measurement, Report

BARS = "▁▂▃▄▅▆▇█"
BUCKETS = 16
PUBLISHED_WIDTH = 104
FULL_WIDTH = 132


def histogram(samples_ms: tuple[float, ...]) -> str:
    """The samples between their minimum and 95th percentile as a row of bars; slower ones in the last."""
    ordered = sorted(samples_ms)
    low, high = ordered[0], figures.percentile(ordered, 0.95)
    width = (high - low) / BUCKETS or 1.0
    counts = [0] * BUCKETS
    for sample_ms in ordered:
        counts[min(BUCKETS - 1, int((sample_ms - low) / width))] += 1
    most = max(counts)
    return "".join(BARS[-(-count * (len(BARS) - 1) // most)] if count else " " for count in counts)


def table(report: Report, width: int) -> Table:
    """One row per operation; times in milliseconds. Extremes and published means if they fit."""
    extremes = ("min", "max", "std_dev") if width >= FULL_WIDTH else ()
    columns = ("mean", "median", "p95", *extremes)
    published = ("published", "ahead") if width >= PUBLISHED_WIDTH else ()
    result = _plain_table("milliseconds", gap=2 if width >= PUBLISHED_WIDTH else 1)
    result.add_column("operation", no_wrap=True)
    for column in (*columns, "raw", "x raw", *published, "target", ""):
        result.add_column(column, justify="right", no_wrap=True)
    for each in report.measurements:
        values = each.as_dict()
        result.add_row(
            each.operation,
            *(_digits(values[name]) for name in columns),
            _digits(values["floor_median"]),
            f"{values['floor_ratio']:.2f}",
            *(_published(each) if published else ()),
            f"{values['target']:g}",
            Text("✓ met", "green") if values["target_achieved"] else Text("✗ missed", "bold red"),
        )
    return result


def _digits(milliseconds: float) -> str:
    return f"{milliseconds:.3f}" if milliseconds < 100 else f"{milliseconds:.1f}"


def _published(measurement: Measurement) -> tuple[str, str]:
    if measurement.published_ms is None or measurement.ahead is None:
        return "", ""
    ahead = measurement.ahead
    return f"{measurement.published_ms:g}", f"{ahead:.0f}x" if ahead >= 10 else f"{ahead:.1f}x"


def legend(report: Report, width: int) -> str:
    """Explains the table's columns and names; lines fit a small terminal."""
    lines = ["raw: median of plain asyncpg, the same work on the same connections, alternating."]
    if report.left_out:
        lines.append(f"Not measured with a declared schema, which needs a database: {report.left_out}.")
    else:
        lines += [
            "_cached: the tables come from a declared schema and already exist; raw creates",
            "its table in every round. schema_operation_cached: a context's whole setup.",
        ]
    if width >= PUBLISHED_WIDTH:
        lines += [
            "published: means of the reference system, which creates its tables in the test;",
            "ahead: how many times our mean that is.",
        ]
    return "\n".join(lines)


def histograms(report: Report) -> Table:
    """A histogram per operation, from the fastest to the 95th percentile."""
    result = _plain_table("from the fastest to p95")
    result.add_column("operation", no_wrap=True)
    for each in report.measurements:
        low, high = f"{each.statistics['min']:.3f}", f"{each.statistics['p95']:.3f} ms"
        result.add_row(each.operation, Text(f"{low:>8} {histogram(each.samples_ms)} {high}"))
    return result


def _plain_table(title: str, gap: int = 2) -> Table:
    return Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), title=title, title_justify="left")


def verdict(report: Report) -> str:
    """How many targets were met, the recommendation, and the measured parallelism."""
    parallel = next((each.efficiency for each in report.measurements if each.efficiency is not None), 0.0)
    summary = report.summary
    return (
        f"{summary['targets_met']} of {summary['operations_tested']} targets met"
        f" ({summary['overall_success_rate']:.1f}%).\n"
        f"{summary['recommendation']}\n"
        f"Ten concurrent tests: on average {parallel:.1f} ran at the same time."
    )
