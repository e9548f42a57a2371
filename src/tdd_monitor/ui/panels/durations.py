"""Durations: percentiles, a histogram with logarithmic buckets, the slowest tests."""

from collections.abc import Iterator

from rich.cells import cell_len

from tdd_monitor import figures
from tdd_monitor.session.queries import BUCKET_EDGES_MS, Durations
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text import charts, format, words
from tdd_monitor.ui.text.parts import BLANK, Part, Row, Target, row, text_row

LABELS = ["0", *(f"{edge // 1000}s" if edge >= 1000 else str(edge) for edge in BUCKET_EDGES_MS)]
SLOWEST_MIN = 2


def heading(view: View) -> str:
    """The number of tests with a duration."""
    count = view.overview.durations.count
    return figures.plural(count, "test") if count else ""


def rows(view: View, width: int, height: int) -> Iterator[Row]:
    """The panel in `width` by `height` cells; further slow tests follow below."""
    spread = view.overview.durations
    if not spread.count:
        yield text_row("No test has finished yet.", "dim")
        return
    limit = view.board.thresholds.test_duration_ms
    yield row(*_percentiles(spread, limit, 1 if width < 42 else 3))
    bars = max(2, min(8, height - 3 - min(len(view.overview.slowest), max(SLOWEST_MIN, height // 2 - 3))))
    yield from histogram(spread.buckets, limit, width, bars)
    if height > 12:
        yield BLANK
    for nodeid, own_ns in view.overview.slowest:
        word = words.of_value(own_ns / figures.NS_PER_MS, view.board.thresholds_of(nodeid).test_duration_ms)
        time = format.fit(figures.nanoseconds(own_ns), 8, right=True)
        name = format.short(nodeid, width - 11)
        yield row((f"{word.glyph}{time}  ", word.role), (name, "text"), target=Target("test", nodeid))


def _percentiles(spread: Durations, limit: float, gap: int) -> Iterator[Part]:
    for label, value in (("p50", spread.p50_ms), ("p95", spread.p95_ms), ("max", spread.max_ms)):
        word = words.of_value(value, limit)
        yield (f"{label} ", "dim")
        if word is words.WITHIN:
            yield (figures.milliseconds(value), "strong")
        else:
            yield (f"{word.glyph}{figures.milliseconds(value)}", word.role)
        yield (" " * gap, "text")


def histogram(buckets: tuple[int, ...], limit_ms: float, width: int, height: int) -> Iterator[Row]:
    """Vertical bars; those over the threshold have another colour, and the axis marks the threshold."""
    used = [index for index, count in enumerate(buckets) if count]
    first, last = max(0, used[0] - 1), min(len(buckets) - 1, used[-1] + 1)
    shown = range(first, last + 1)
    pitch = max(2, min(6, width // len(shown)))
    bar = pitch - 1
    lines = charts.columns([buckets[index] for index in shown], height)
    for line in lines:
        parts: list[Part] = []
        for index, char in zip(shown, line, strict=True):
            parts.append((char * bar + " ", _bucket_role(index, limit_ms)))
        yield Row(tuple(parts))
    yield row(*_axis(shown, pitch, limit_ms, width))


def _bucket_role(index: int, limit_ms: float) -> str:
    lower = BUCKET_EDGES_MS[index - 1] if index else 0
    return "chart-over" if limit_ms and lower >= limit_ms else "chart"


def _axis(shown: range, pitch: int, limit_ms: float, width: int) -> Iterator[Part]:
    """Lower edges below their bars, as many as fit; the threshold has a warning mark."""
    line, free_from = "", 0
    marks: list[tuple[int, str, str]] = []
    for place, index in enumerate(shown):
        lower = BUCKET_EDGES_MS[index - 1] if index else 0
        at_limit = bool(limit_ms) and lower == limit_ms
        label = ("▲" if at_limit else "") + LABELS[index]
        at = place * pitch
        if at >= free_from and at + cell_len(label) <= width - 3:
            marks.append((at, label, "warning" if at_limit else "dim"))
            free_from = at + cell_len(label) + 1
    for at, label, role in marks:
        yield (" " * (at - len(line)), "dim")
        yield (label, role)
        line = line.ljust(at) + label
    if not any(label.endswith("s") for _at, label, _role in marks):
        yield (" ms", "dim")
