"""The charts of the HTML report: SVG without scripts, each with a text for those who do not see it."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from tdd_monitor import figures
from tdd_monitor.session.queries import BUCKET_EDGES_MS, distribution
from tdd_monitor.terminal import visible

from . import results
from .results import Document, Entry

WIDTH = 1000
LABEL = 380  # for names, left of bars
ROW = 20
SLOWEST = 15
MAX_BLOCKS = 2_000  # tests on the time line: the longest ones
MAX_POINTS = 300  # of one curve
PHASES = ("setup", "call", "teardown")


def histogram(document: Document) -> str:
    """How many tests take how long."""
    own_ns = [round(test["test_duration_ms"] * figures.NS_PER_MS) for test in results.slowest(document)]
    counts = distribution(own_ns).buckets
    names = [f"< {figures.milliseconds(edge)}" for edge in BUCKET_EDGES_MS]
    names.append(f"≥ {figures.milliseconds(BUCKET_EDGES_MS[-1])}")
    most = max(counts, default=0) or 1
    rows = []
    for number, (name, count) in enumerate(zip(names, counts, strict=True)):
        width = (WIDTH - 300) * count / most
        rows.append(_text(120, number, name, end=True) + _bar(130, number, width, "bar"))
        rows.append(_text(130 + width + 8, number, str(count) if count else "", "dim"))
    return _svg(rows, len(names), f"Durations of {figures.plural(len(own_ns), 'test')}")


def slowest(document: Document) -> str:
    """The phases of the slowest tests, one after the other."""
    tests = results.slowest(document)[:SLOWEST]
    longest_ms = max((test["test_duration_ms"] for test in tests), default=0) or 1
    rows = []
    for number, test in enumerate(tests):
        rows.append(_text(LABEL, number, results.short_name(test["nodeid"], 52), end=True))
        x = LABEL + 10.0
        for when in PHASES:
            took_ms = test["phases"].get(when, {}).get("wall_ms", 0.0)
            width = (WIDTH - LABEL - 90) * took_ms / longest_ms
            rows.append(_bar(x, number, width, when, f"{when} {figures.milliseconds(took_ms)}"))
            x += width
        rows.append(_text(x + 8, number, figures.milliseconds(test["test_duration_ms"]), "dim"))
    return _svg(rows, len(tests), "Slowest tests: setup, call, teardown")


def time_line(document: Document) -> str:
    """When each worker ran which test."""
    tests = [test for test in results.ran(document) if test["start_ms"] is not None]
    shown = sorted(tests, key=_total_ms, reverse=True)[:MAX_BLOCKS]
    workers = sorted({test["worker"] for test in tests})
    scale = (WIDTH - 130) / (document["duration_s"] * 1000 or 1)
    rows = []
    for number, worker in enumerate(workers):
        rows.append(_text(110, number, worker or "pytest", end=True))
        for test in shown:
            if test["worker"] == worker:
                title = f"{test['nodeid']}: {test['outcome']}, {figures.milliseconds(_total_ms(test))}"
                width = max(0.7, _total_ms(test) * scale)
                rows.append(_bar(120 + test["start_ms"] * scale, number, width, test["outcome"], title))
    rows.append(_text(120, len(workers), "0 s", "dim"))
    rows.append(_text(WIDTH, len(workers), f"{document['duration_s']:.1f} s", "dim", end=True))
    return _svg(rows, len(workers) + 1, "Time line of the workers")


def memory(document: Document) -> str:
    """The memory of each process at the end of the phases."""
    curves = {worker: points for worker, points in _memory(document).items() if len(points) > 1}
    rows = []
    for number, (worker, points) in enumerate(curves.items()):
        low, high = min(mb for _, mb in points), max(mb for _, mb in points)
        rows.append(_text(110, 3 * number + 1, worker or "pytest", end=True))
        rows.append(_curve(_thinned(points), 3 * number, document["duration_s"] * 1000, low, high))
        text = f"{figures.size(low * figures.MB)} to {figures.size(high * figures.MB)}"
        rows.append(_text(WIDTH, 3 * number + 1, text, "dim", end=True))
    return _svg(rows, 3 * len(curves), "Memory of the test processes")


def _memory(document: Document) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for test in sorted(results.ran(document), key=lambda test: test["start_ms"] or 0):
        for phase in test["phases"].values() if test["start_ms"] is not None else ():
            at_ms = test["start_ms"] + phase["offset_ms"] + phase["wall_ms"]
            if phase["rss_mb"]:
                found.setdefault(test["worker"], []).append((at_ms, phase["rss_mb"]))
    return found


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    step = -(-len(points) // MAX_POINTS)
    return [*points[::step], points[-1]]


def _curve(points: Iterable[tuple[float, float]], row: int, width_ms: float, low: float, high: float) -> str:
    top, height, span = row * ROW + 6, 3 * ROW - 12, (high - low) or 1
    scale = (WIDTH - 320) / (width_ms or 1)
    places = ((120 + at_ms * scale, top + height * (1 - (mb - low) / span)) for at_ms, mb in points)
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline points="{drawn}"/>'


def _total_ms(test: Entry) -> float:
    phases: Mapping[str, Entry] = test["phases"]
    return float(sum(phase["wall_ms"] + phase["shared_fixtures_ms"] for phase in phases.values()))


def _text(x: float, row: int, text: str, kind: str = "", end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{row * ROW + 15}"{anchor}{style}>{escape(visible(text))}</text>'


def _bar(x: float, row: int, width: float, kind: str, title: str = "") -> str:
    hint = f"<title>{escape(visible(title))}</title>" if title else ""
    place = f'x="{x:.1f}" y="{row * ROW + 4}" width="{width:.1f}" height="{ROW - 6}"'
    return f'<rect class="{escape(visible(kind))}" {place}>{hint}</rect>'


def _svg(rows: Iterable[str], height: int, label: str) -> str:
    size = f'viewBox="0 0 {WIDTH} {height * ROW + 6}" width="{WIDTH}" height="{height * ROW + 6}"'
    return f'<svg {size} role="img" aria-label="{label}">{"".join(rows)}</svg>'
