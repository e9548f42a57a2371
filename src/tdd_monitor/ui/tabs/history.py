"""Earlier durations of a test: the runs in which its first attempt passed, oldest first."""

import statistics
from collections.abc import Iterator

from tdd_monitor import figures
from tdd_monitor.ui.text import charts, format
from tdd_monitor.ui.text.parts import BLANK, Row, row, text_row
from tdd_monitor.verdict import wording
from tdd_monitor.verdict.regressions import State

from .subject import Subject

_MARKS = {
    State.REGRESSED: ("▲", "error"),
    State.SUSPECTED: ("?", "warning"),
    State.IMPROVED: ("▼", "good"),
}


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """Yield what changed since earlier sessions, then one bar per run in which the first attempt passed."""
    yield from _verdicts(subject)
    values = [own / figures.NS_PER_MS for own in subject.item.history_ns]
    if not values:
        yield text_row("Has not passed in this session yet.", "dim")
        return
    limit = subject.thresholds.test_duration_ms
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
        label = "latest pass" if not ago else f"{figures.plural(ago, 'pass', 'passes')} ago"
        over = bool(limit) and value > limit
        role = "warning" if over else "good"
        yield row(
            (format.fit(label, 14), "dim"),
            *charts.bar(value / highest, max(10, width - 29), role),
            (format.fit(figures.milliseconds(value), 10, right=True), role if over else "text"),
            (" ▲" if over else "  ", "warning"),
        )
    if limit:
        yield BLANK
        yield text_row(f"Threshold: {limit:g} ms", "dim")


def _verdicts(subject: Subject) -> Iterator[Row]:
    judgement = subject.view.board.judgement
    found = [] if judgement is None else [v for v in judgement.verdicts if v.nodeid == subject.item.nodeid]
    for verdict in found:
        values = wording.change(verdict.metric, verdict.before, verdict.after)
        glyph, role = _MARKS[verdict.state]
        yield row(
            (f"{glyph} {verdict.state}  ", role),
            (f"{wording.word(verdict.metric)} {values}", "strong"),
            (f"  {verdict.evidence}", "dim"),
        )
    if found:
        yield BLANK
