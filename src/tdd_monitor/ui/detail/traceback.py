"""Traceback and captured output, as pytest wrote them; a place in a file can be opened from its line."""

import re
from collections.abc import Iterator

from tdd_monitor.protocol.events import FinishedTest
from tdd_monitor.ui import format
from tdd_monitor.ui.parts import BLANK, Row, Target, row, text_row

from .subject import Subject, headline

PLACE = re.compile(r"^\s*(?:File \")?([^\s:\"]+\.py)(?::|\", line )(\d+)")
LINE_MAX = 4000  # cells of one line; the rest is said to be there


def filled(subject: Subject) -> bool:
    """There is a traceback, a reason, or output."""
    record = subject.record
    return record is not None and any(phase.longrepr or phase.sections for phase in record.phases)


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """Each phase's text and the output that it made."""
    record = subject.record
    if record is None or not filled(subject):
        yield text_row("No traceback and no output." if record else "It has not run yet.", "dim")
        return
    yield from of_record(record)


def of_record(record: FinishedTest) -> Iterator[Row]:
    """All texts of one attempt."""
    for phase in record.phases:
        if phase.longrepr:
            yield headline(format.visible(f"{phase.when} {phase.outcome}"))
            yield from lines(phase.longrepr)
            yield BLANK
        for section in phase.sections:
            if section.text.strip():
                yield headline(format.visible(section.title))
                yield from (Row(((_cut(line), "text"),)) for line in format.plain_lines(section.text))
                yield BLANK


def lines(text: str) -> Iterator[Row]:
    """Lines of a traceback in their roles."""
    for line in format.plain_lines(text.rstrip("\n")):
        yield _line(_cut(line))


def _line(line: str) -> Row:
    if re.match(r"^E(\s|$)", line):
        return row((line, "failed"))
    if line.startswith(">"):
        return row((line, "strong"))
    place = PLACE.match(line)
    if place is not None:
        target = Target("place", f"{place[1]}:{place[2]}")
        start, end = place.start(1), place.end(2)
        return row((line[:start], "text"), (line[start:end], "accent"), (line[end:], "dim"), target=target)
    if set(line) <= set("_ -=") and line.strip():
        return row((line, "dim"))
    return row((line, "text"))


def _cut(line: str) -> str:
    if len(line) <= LINE_MAX:
        return line
    return f"{line[:LINE_MAX]} … [{len(line) - LINE_MAX:,} more characters]"
