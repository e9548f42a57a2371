"""Memory of the processes that run tests: now, peak, growth, over time, and who adds to it."""

from collections.abc import Iterator

from tdd_monitor.session.metrics import MB
from tdd_monitor.ui import draw, format
from tdd_monitor.ui.parts import BLANK, Part, Row, Target, row, text_row
from tdd_monitor.ui.view import View
from tdd_monitor.verdict import wording


def heading(view: View) -> str:
    """Memory now."""
    memory = view.board.session.memory
    return f"{wording.size(memory[-1][1])} now" if memory else ""


def rows(view: View, width: int, height: int) -> Iterator[Row]:
    """The panel in `width` by `height` cells."""
    session = view.board.session
    if not session.memory:
        yield text_row("No reading of the test process yet.", "dim")
        return
    workers = [worker for worker in session.workers.values() if worker.rss_bytes]
    peak = sum(worker.peak_rss_bytes for worker in workers)
    growth = sum(worker.rss_bytes - worker.first_rss_bytes for worker in workers)
    limit = view.board.thresholds.memory_growth_mb
    over = bool(limit) and growth > limit * MB
    yield row(
        ("peak ", "dim"),
        (wording.size(peak), "strong"),
        ("  grew ", "dim"),
        (f"{'▲ ' if over else ''}{wording.size(growth, signed=True)}", "warning" if over else "strong"),
    )
    yield from _chart(view, width, max(1, min(6, (height - 2) // 2)))
    if height > 12:
        yield BLANK
    yield from _tests(view, width)


def _chart(view: View, width: int, height: int) -> Iterator[Row]:
    points = [(t_ns, float(size)) for t_ns, size in view.board.session.memory]
    values = draw.resample(points, width, points[-1][0])
    low, high = min(values), max(values)
    # Noise of less than two megabytes is not stretched to the full height.
    slack = max(0.0, 2 * MB - (high - low)) / 2
    for line in draw.sparkline(values, height, low - slack, high + slack):
        yield text_row(line, "chart")


def _tests(view: View, width: int) -> Iterator[Row]:
    limit = view.board.thresholds.memory_usage_mb
    shown = [entry for entry in view.overview.memory if entry[1] >= MB / 20]
    if not shown:
        yield text_row("No test made the process grow.", "dim")
    for nodeid, delta in shown:
        ratio = delta / MB / limit if limit else 0.0
        role = "critical" if ratio > 1.5 else "warning" if ratio > 1 else "text"
        glyph = {"critical": "◆", "warning": "▲"}.get(role, " ")
        size: Part = (f"{glyph}{format.fit(wording.size(delta, signed=True), 9, right=True)}  ", role)
        yield row(size, (format.short(nodeid, width - 12), "text"), target=Target("test", nodeid))
