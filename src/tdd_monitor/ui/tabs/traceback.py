"""Traceback and captured output, as pytest wrote them; source locations can be opened."""

import re
from collections.abc import Iterator, Sequence

from tdd_monitor.protocol.events import FinishedTest
from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import BLANK, Row, Target, row, text_row

from .subject import Subject, headline

PLACE = re.compile(r"^\s*(?:File \")?([^\s:\"]+\.py)(?::|\", line )(\d+)")
LINE_MAX = 4000  # characters of one line; the length of the rest is shown
TEXT_MAX = 128 * 1024  # characters of one text; the plugin sends at most half of that
LINES_MAX = 3000  # of one text


def filled(subject: Subject) -> bool:
    """True if there is a traceback, a reason, or output."""
    record = subject.record
    return record is not None and any(phase.longrepr or phase.sections for phase in record.phases)


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """The text and the captured output of each phase."""
    record = subject.record
    if record is None or not filled(subject):
        yield text_row("No traceback and no output." if record else "Not run yet.", "dim")
        return
    yield from of_record(record)


def of_record(record: FinishedTest) -> Iterator[Row]:
    """The text and the captured output of one attempt."""
    for phase in record.phases:
        if phase.longrepr:
            yield headline(format.visible(f"{phase.when} {phase.outcome}"))
            yield from lines(phase.longrepr)
            yield BLANK
        for section in phase.sections:
            if section.text.strip():
                yield headline(format.visible(section.title))
                yield from (text_row(line) for line in bounded(section.text))
                yield BLANK


def lines(text: str) -> Iterator[Row]:
    """The lines of a traceback, with roles."""
    yield from map(_line, bounded(text.rstrip("\n")))


def printed(output: Sequence[str]) -> Iterator[Row]:
    """The last eight `TEXT_MAX` of pytest's output, and the number of earlier lines."""
    kept: list[str] = []
    room = 8 * TEXT_MAX
    for line in reversed(output):
        kept.append(_cut(line))
        room -= len(kept[-1])
        if room < 0:
            break
    if len(kept) < len(output):
        yield text_row(f"… [{len(output) - len(kept):,} earlier lines not shown] …", "dim")
    yield from map(_line, format.plain_lines("\n".join(reversed(kept))))


def bounded(text: str) -> list[str]:
    """The lines of a text, escaped; a very long text is cut in the middle, with the length of the cut."""
    return _cut_middle([_cut(line) for line in format.plain_lines(_shortened(text))])


def _shortened(text: str) -> str:
    half, cut = TEXT_MAX // 2, len(text) - TEXT_MAX
    return f"{text[:half]}\n… [{cut:,} characters not shown] …\n{text[-half:]}" if cut > 0 else text


def _cut_middle(lines: list[str]) -> list[str]:
    half, cut = LINES_MAX // 2, len(lines) - LINES_MAX
    return [*lines[:half], f"… [{cut:,} lines not shown] …", *lines[-half:]] if cut > 0 else lines


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
