"""Attempts (reruns) of a test, and its subtests."""

from collections.abc import Iterator

from tdd_monitor import figures
from tdd_monitor.session.metrics import own_ns
from tdd_monitor.ui.text import format, words
from tdd_monitor.ui.text.parts import BLANK, Row, row, text_row

from . import traceback
from .subject import Subject, text_rows


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """Every attempt with its outcome and text."""
    record = subject.record
    if record is None:
        yield text_row("Not run yet.", "dim")
        return
    records = [*subject.item.earlier, record]
    if len(records) == 1:
        yield text_row("No reruns.", "dim")
        return
    if subject.item.flaky:
        text = "Flaky: passed only after a rerun. Compare the attempts to find out why."
        yield from text_rows(text, width, "flaky", 0)
        yield BLANK
    for number, attempt in enumerate(records, 1):
        word = words.OUTCOMES.get(attempt.outcome, words.IDLE)
        yield row(
            (f"attempt {number}  ", "strong"),
            (f"{word.glyph} {word.word}", word.role),
            (f"  {figures.nanoseconds(own_ns(attempt))}", "dim"),
        )
        yield from traceback.of_record(attempt)
        yield BLANK


def has_subtests(subject: Subject) -> bool:
    """True if the test had subtests."""
    return subject.record is not None and bool(subject.record.subtests)


def subtest_rows(subject: Subject, width: int) -> Iterator[Row]:
    """Every subtest, with the traceback of those that failed."""
    record = subject.record
    if record is None or not record.subtests:
        yield text_row("No subtests.", "dim")
        return
    for subtest in record.subtests:
        word = words.OUTCOMES.get(subtest.outcome, words.IDLE)
        yield row(
            (format.fit(f"{word.glyph} {word.word}", 11), word.role),
            (format.fit(figures.nanoseconds(subtest.wall_ns), 9, right=True) + "  ", "dim"),
            (format.visible(subtest.description) or "(no name)", "text"),
        )
        if subtest.longrepr:
            yield from traceback.lines(subtest.longrepr)
            yield BLANK
