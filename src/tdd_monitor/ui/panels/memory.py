"""Memory of the test processes: now, peak, growth, over time, and by test."""

from collections.abc import Iterator

from tdd_monitor import figures
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text import charts, format, words
from tdd_monitor.ui.text.parts import BLANK, Part, Row, Target, row, text_row, width_of

MIN_BYTES = figures.MB / 20  # less would round to 0.0 MB


def heading(view: View) -> str:
    """The current memory."""
    memory = view.board.session.memory
    return f"{figures.size(memory[-1][1])} now" if memory else ""


def rows(view: View, width: int, height: int) -> Iterator[Row]:
    """The panel in `width` by `height` cells."""
    session = view.board.session
    if not session.memory:
        hello = session.run.hello if session.run is not None else None
        missing = "; ".join(hello.unmeasured) if hello is not None else ""
        text = f"Not measured: {format.visible(missing)}" if missing else "No data yet."
        yield from (text_row(line, "dim") for line in format.wrap(text, width))
        return
    yield from _figures(view, width)
    yield from _chart(view, width, max(1, min(6, (height - 3) // 2)))
    if height > 12:
        yield BLANK
    yield from _tests(view, width)


def _figures(view: View, width: int) -> Iterator[Row]:
    """The peak, the growth during the tests, and the growth before the first of them."""
    workers = [worker for worker in view.board.session.workers.values() if worker.rss_bytes]
    keeps_growing = any(alert.metric == "memory_growth_mb" for alert in view.alerts)
    growth = figures.size(sum(worker.growth_bytes for worker in workers), signed=True)
    shown: list[Part] = [
        ("peak ", "dim"),
        (figures.size(sum(worker.peak_rss_bytes for worker in workers)), "strong"),
        ("  tests ", "dim"),
        (f"▲ {growth}" if keeps_growing else growth, "warning" if keeps_growing else "strong"),
    ]
    warm_up: list[Part] = [
        ("warm-up ", "dim"),
        (figures.size(sum(worker.warm_up_bytes for worker in workers), signed=True), "text"),
    ]
    if width_of(shown) + 2 + width_of(warm_up) <= width:
        yield row(*shown, ("  ", "text"), *warm_up)
    else:
        yield row(*shown)
        yield row(*warm_up, (" before the tests", "dim"))


def _chart(view: View, width: int, height: int) -> Iterator[Row]:
    points = [(t_ns, float(size)) for t_ns, size in view.board.session.memory]
    values = charts.resample(points, width, points[-1][0])
    low, high = min(values), max(values)
    # Noise below two megabytes is not scaled up to the full height.
    slack = max(0.0, 2 * figures.MB - (high - low)) / 2
    for line in figures.sparkline(values, height, low - slack, high + slack):
        yield text_row(line, "chart")


def _tests(view: View, width: int) -> Iterator[Row]:
    shown = [entry for entry in view.overview.memory if entry[1] >= MIN_BYTES]
    workers = view.board.session.workers.values()
    drift = sum(worker.drift_bytes for worker in workers)
    if abs(drift) >= MIN_BYTES:
        text = f"{format.fit(figures.size(drift, signed=True), 10, right=True)}  between tests"
        yield text_row(format.fit(text, width), "dim")
    if not shown:
        total = sum(worker.growth_bytes for worker in workers) - drift
        more = f" ({figures.size(total, signed=True)} in total)" if total >= MIN_BYTES else ""
        yield text_row(f"No single test added 0.1 MB{more}.", "dim")
    for nodeid, delta in shown:
        word = words.of_value(delta / figures.MB, view.board.thresholds_of(nodeid).memory_usage_mb)
        size: Part = (
            f"{word.glyph}{format.fit(figures.size(delta, signed=True), 9, right=True)}  ",
            word.role,
        )
        yield row(size, (format.short(nodeid, width - 12), "text"), target=Target("test", nodeid))
