"""The earlier durations of a test: its passed first attempts, oldest first."""

import statistics
from collections.abc import Iterator

from tdd_monitor import figures
from tdd_monitor.ui.text import charts, format
from tdd_monitor.ui.text.parts import BLANK, Row, row, text_row

from .subject import Subject


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """One bar per run."""
    values = [own / figures.NS_PER_MS for own in subject.item.history_ns]
    if not values:
        yield text_row("Not passed yet in this session.", "dim")
        return
    limit = subject.view.board.thresholds.test_duration_ms
    median = statistics.median(values)
    yield row(
        ("median ", "dim"),
        (figures.milliseconds(median), "strong"),
        ("   fastest ", "dim"),
        (figures.milliseconds(min(values)), "strong"),
        ("   slowest ", "dim"),
        (figures.milliseconds(max(values)), "strong"),
    )
    yield BLANK
    highest = max(*values, limit)
    for number, value in enumerate(values):
        ago = len(values) - 1 - number
        label = "last" if not ago else f"{ago} before"
        over = bool(limit) and value > limit
        role = "warning" if over else "good"
        yield row(
            (format.fit(label, 11), "dim"),
            *charts.bar(value / highest, max(10, width - 26), role),
            (format.fit(figures.milliseconds(value), 10, right=True), role if over else "text"),
            (" ▲" if over else "  ", "warning"),
        )
    if limit:
        yield BLANK
        yield text_row(f"Threshold: {limit:g} ms", "dim")
