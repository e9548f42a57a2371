"""Memory during one attempt: the size of the process after each phase, and what each added."""

from collections.abc import Iterator

from tdd_monitor import figures
from tdd_monitor.session.metrics import memory_delta_bytes
from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import BLANK, Part, Row, row, text_row

from .subject import Subject, headline, text_rows

CELL = 11


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """One line per phase, then the process."""
    record = subject.record
    if record is None:
        yield text_row("Not run yet.", "dim")
        return
    python = any(phase.python_delta_bytes or phase.python_peak_bytes for phase in record.phases)
    titles = ["phase", "added", "after it", *(("objects", "their peak") if python else ())]
    yield row(*((format.fit(title, CELL, right=number > 0), "head") for number, title in enumerate(titles)))
    for phase in record.phases:
        cells: list[Part] = [
            (format.fit(format.visible(phase.when), CELL), "strong"),
            _size(phase.rss_delta_bytes, signed=True),
            _size(phase.rss_bytes),
        ]
        if python:
            cells += [_size(phase.python_delta_bytes, signed=True), _size(phase.python_peak_bytes)]
        yield row(*cells)
    delta = memory_delta_bytes(record)
    yield row((format.fit("whole test", CELL), "strong"), _size(delta, signed=True))
    yield BLANK
    limit = subject.thresholds.memory_usage_mb
    if limit and delta > limit * figures.MB:
        advice = "Something outlives the test: look for caches, globals and unclosed resources."
        yield from text_rows(f"▲ Over its threshold of {limit:g} MB. {advice}", width, "warning", 0)
        yield BLANK
    yield headline("Process")
    yield _around("since the previous test", figures.size(record.drift_bytes, signed=True))
    shared = sum(use.rss_delta_bytes for use in record.fixtures)
    if shared:
        yield _around("shared fixtures", figures.size(shared, signed=True))
    if record.peak_rss_bytes:
        yield _around("peak so far", figures.size(record.peak_rss_bytes))
    yield BLANK
    text = "RSS of the process: Python often keeps memory that it frees. --memory tracemalloc counts objects."
    yield from text_rows(text, width, "dim", 0)


def _size(value: int, signed: bool = False) -> Part:
    text = figures.size(value, signed) if value else "·"
    return (format.fit(text, CELL, right=True), "text" if value else "idle")


def _around(name: str, value: str) -> Row:
    return row((format.fit(f"  {name}", 40), "text"), (format.fit(value, 10, right=True), "strong"))
