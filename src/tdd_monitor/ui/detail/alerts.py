"""The thresholds that the test broke, in full, with what to do."""

from collections.abc import Iterator

from tdd_monitor.ui import format, words
from tdd_monitor.ui.panels.alerts import amount, limit
from tdd_monitor.ui.parts import BLANK, Row, row, text_row

from .subject import Subject, text_rows


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """A block an alert."""
    if not subject.alerts:
        text = "✓ Within all of its thresholds." if subject.record else "It has not run yet."
        yield text_row(text, "passed" if subject.record else "dim")
        return
    for alert in subject.alerts:
        word = words.SEVERITIES[alert.severity]
        yield row(
            (f"{word.glyph} {word.word}  ", word.role),
            (f"{words.METRICS.get(alert.metric, alert.metric)}  ", "strong"),
            (f"{amount(alert)}  ", word.role),
            (limit(alert), "dim"),
        )
        if alert.detail:
            yield from text_rows(format.visible(alert.detail), width, "text")
        if alert.advice:
            yield from text_rows(f"→ {alert.advice}", width, "accent")
        yield BLANK
