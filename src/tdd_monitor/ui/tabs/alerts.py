"""The alerts of a test, in full, with advice."""

from collections.abc import Iterator

from tdd_monitor.ui.text import format, words
from tdd_monitor.ui.text.parts import BLANK, Row, row, text_row
from tdd_monitor.verdict import Alert, wording

from .subject import Subject, text_rows


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """One block per alert."""
    if not subject.alerts:
        text = "✓ Within all thresholds." if subject.record else "Not run yet."
        yield text_row(text, "passed" if subject.record else "dim")
        return
    for alert in subject.alerts:
        yield severity_row(alert)
        if alert.detail:
            yield from text_rows(format.visible(alert.detail), width, "text")
        yield from rule_rows(alert, width)
        if alert.advice:
            yield from text_rows(f"→ {alert.advice}", width, "accent")
        yield BLANK


def rule_rows(alert: Alert, width: int) -> Iterator[Row]:
    """Where the threshold was set, if it is not a general one."""
    if alert.rule:
        limit = wording.limit(alert.metric, alert.threshold)
        yield from text_rows(f"The threshold of {limit} is set in {alert.rule}.", width, "dim")


def severity_row(alert: Alert) -> Row:
    """Severity, metric, value, and comparison with the threshold."""
    word = words.SEVERITIES[alert.severity]
    return row(
        (f"{word.glyph} {word.word}  ", word.role),
        (f"{wording.word(alert.metric)}  ", "strong"),
        (f"{wording.value(alert.metric, alert.value)}  ", word.role),
        (wording.comparison(alert.metric, alert.value, alert.threshold), "dim"),
    )
