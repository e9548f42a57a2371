"""The overview: phases and fixtures of an attempt as bars on one time axis, and the totals."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len

from tdd_monitor import figures
from tdd_monitor.protocol.events import FinishedTest, FixtureUse
from tdd_monitor.session import metrics, tracebacks
from tdd_monitor.ui.text import charts, format, words
from tdd_monitor.ui.text.parts import BLANK, Part, Row, Target, clip, row, text_row

from .subject import Subject, headline, text_rows
from .traceback import bounded


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the waterfall; `own_ns` excludes the shared fixtures within it."""

    label: str
    role: str
    start_ns: int
    length_ns: int
    own_ns: int
    note: str = ""
    note_role: str = "dim"
    target: Target | None = None


def rows(subject: Subject, width: int) -> Iterator[Row]:
    """The waterfall, and the totals below it."""
    record = subject.record
    if record is None:
        yield from _without_record(subject, width)
        return
    if subject.running_ms is not None:
        yield from text_rows("Running again. These are the results of the last run.", width, "running", 0)
        yield BLANK
    yield from _why(record, width)
    bars = timeline(record, subject.thresholds.fixture_setup_ms)
    total_ns = max((bar.start_ns + bar.length_ns for bar in bars), default=0)
    yield from _bars(bars, total_ns, width)
    yield BLANK
    yield from _sums(subject, record, width)
    yield from _cached(record, width)
    if record.unmeasured:
        yield from text_rows("Not measured: " + "; ".join(record.unmeasured), width, "dim", 0)


def _why(record: FinishedTest, width: int) -> Iterator[Row]:
    """The first line of each failure, which often is all the reader needs."""
    failed = [phase for phase in record.phases if phase.outcome == "failed" and phase.longrepr]
    for phase in failed:
        lines = bounded(phase.longrepr)
        text = tracebacks.headline(lines)
        line = f"✗ {format.visible(phase.when)}  {text}"
        yield row((format.fit(line, width), "failed"))
    if failed:
        yield BLANK


def _without_record(subject: Subject, width: int) -> Iterator[Row]:
    if subject.running_ms is not None:
        text = (
            f"Running for {figures.milliseconds(subject.running_ms)}. Measurements appear when it finishes."
        )
    elif subject.item.outcome == "lost":
        text = "pytest died while running this test, so there are no measurements. Press o for the output."
    else:
        text = "Not run yet."
    yield from text_rows(text, width, "dim", 0)


def timeline(record: FinishedTest, fixture_limit_ms: float) -> list[Bar]:
    """The phases in order, each with the fixtures that it set up or tore down."""
    found: list[Bar] = []
    start_ns = 0
    for phase in record.phases:
        own_ns = metrics.phase_ns(phase)
        notes = [f"of {figures.nanoseconds(phase.wall_ns)}"] if phase.shared_ns else []
        notes += [f"cpu {phase.cpu_ns / own_ns:.0%}"] if own_ns else []
        role = phase.when if phase.when in ("setup", "call", "teardown") else "lost"
        start_ns = max(start_ns, _first_teardown(record) if phase.when == "teardown" else 0)
        failed = "✗ " if phase.outcome == "failed" else ""
        label = f"{failed}{format.visible(phase.when)}"
        found.append(Bar(label, role, start_ns, phase.wall_ns, own_ns, ", ".join(notes)))
        found += _fixtures(record, phase.when, fixture_limit_ms)
        start_ns += phase.wall_ns
    return found


def _first_teardown(record: FinishedTest) -> int:
    """Between call and teardown pytest does work of its own, which belongs to no phase."""
    return min((use.teardown_start_ns for use in record.fixtures if use.teardown_ns), default=0)


def _fixtures(record: FinishedTest, when: str, limit_ms: float) -> Iterator[Bar]:
    for use in record.fixtures:
        shared = metrics.is_shared(use)
        role = "shared" if shared else "fixture"
        target = fixture_target(use)
        if when == "setup" and not use.cached and use.setup_ns:
            note, note_role = f"{format.visible(use.scope)} scope" if shared else "", "dim"
            word = words.of_value(use.self_ns / figures.NS_PER_MS, limit_ms)
            if word is not words.WITHIN and not shared:  # shared: rated per test
                times = figures.factor(use.self_ns / figures.NS_PER_MS / limit_ms)
                note, note_role = f"{word.glyph} {times} {note}", word.role
            took_ns = use.setup_ns
            yield Bar(f"  {use.name}", role, use.start_ns, took_ns, took_ns, note, note_role, target)
        elif when == "teardown" and use.teardown_ns:
            start_ns, took_ns = use.teardown_start_ns, use.teardown_ns
            yield Bar(f"  {use.name}", role, start_ns, took_ns, took_ns, "teardown", "dim", target)


def fixture_target(use: FixtureUse) -> Target:
    """The target that opens the cost of a fixture."""
    return Target("fixture", f"{use.scope}:{use.name}")


def _bars(bars: list[Bar], total_ns: int, width: int) -> Iterator[Row]:
    label_width = min(max((len(bar.label) for bar in bars), default=0) + 1, max(14, width // 4))
    note_width = 20 if width >= 90 else 10
    room = max(10, width - label_width - 10 - note_width)
    for bar in bars:
        label = format.fit(format.visible(bar.label), label_width)
        time = format.fit(figures.nanoseconds(bar.own_ns), 9, right=True) + " "
        is_phase = bar.target is None
        parts: list[Part] = [(label, "strong" if is_phase else bar.role)]
        parts += charts.span(bar.start_ns, bar.length_ns, total_ns, room, bar.role)
        parts += [(time, "strong" if is_phase else "text"), (format.fit(bar.note, note_width), bar.note_role)]
        yield row(*parts, target=bar.target)
    yield row((" " * label_width, "dim"), (charts.axis(figures.nanoseconds(total_ns), room), "dim"))


def _sums(subject: Subject, record: FinishedTest, width: int) -> Iterator[Row]:
    limit = subject.thresholds.test_duration_ms
    own_ms = metrics.own_ns(record) / figures.NS_PER_MS
    word = words.of_value(own_ms, limit)
    ratio = own_ms / limit if limit else 0.0
    if word is words.WITHIN:
        word, share = words.OUTCOMES["passed"], f"{ratio:.0%}"
    else:
        share = figures.factor(ratio)
    verdict = f"{share} of {limit:g} ms" if limit else ""
    yield headline("Totals")
    for found in _figures(subject, record, own_ms, f"{word.glyph} {verdict}", word.role):
        yield Row(clip(found.parts, width))
    yield BLANK


def _figures(subject: Subject, record: FinishedTest, own_ms: float, verdict: str, role: str) -> Iterator[Row]:
    yield _figure("own time", figures.milliseconds(own_ms), verdict, role)
    shared_ns = metrics.shared_ns(record)
    if shared_ns:
        note = "counted separately: other tests use them too"
        yield _figure("shared fixtures", figures.nanoseconds(shared_ns), note)
    total_ns, cpu_ns = metrics.total_ns(record), metrics.cpu_ns(record)
    yield _figure("wall time", figures.nanoseconds(total_ns), "all phases and shared fixtures")
    own_ns = metrics.own_ns(record)
    if own_ns:
        share = cpu_ns / own_ns
        note = "computing" if share > 0.5 else "waiting"
        yield _figure("CPU time", figures.nanoseconds(cpu_ns), f"{share:.0%}: mostly {note}")
    if record.db:
        query_ns = sum(use.query_ns for use in record.db)
        share = query_ns / own_ns if own_ns else 0.0
        note = f"{metrics.queries(record):,} statements, {share:.0%} of own time"
        yield _figure("database", figures.nanoseconds(query_ns), note)
    for name, value in sorted(record.metrics.items()):
        yield _figure(format.visible(name), f"{value:g}", "recorded by the test")


def _figure(name: str, value: str, note: str, role: str = "dim") -> Row:
    return row(
        (format.fit(f"  {name}", 20), "text"),
        (format.fit(value, 10, right=True), "strong"),
        (f"   {note}", role),
    )


def _cached(record: FinishedTest, width: int) -> Iterator[Row]:
    """Shared fixtures reused at no cost to this test; those of plugins are only counted."""
    cached = [use for use in record.fixtures if use.cached and not use.name.startswith("_")]
    hidden = sum(1 for use in record.fixtures if use.cached and use.name.startswith("_"))
    if cached:
        yield headline("Reused fixtures")
    names = min(max((cell_len(use.name) for use in cached), default=0) + 4, width // 2)
    for use in cached:
        whose = f"set up for {format.short(use.first_user)}" if use.first_user else ""
        yield row(
            (format.fit(f"  {format.visible(use.name)}", names), "shared"),
            (format.fit(format.visible(use.scope), 10), "dim"),
            (format.fit(whose, width - names - 10), "dim"),
            target=fixture_target(use),
        )
    if hidden:
        yield text_row(f"  and {hidden} whose names start with _", "dim")
    if not record.fixtures:
        yield text_row("No fixtures.", "dim")
