"""Threshold alerts with advice, worst first, after any collection errors."""

from collections.abc import Iterator

from tdd_monitor import figures
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text import format, words
from tdd_monitor.ui.text.parts import Part, Row, Target, row, text_row, width_of
from tdd_monitor.verdict import Alert, Severity, wording

ONE_LINE = 58  # minimum cells for an alert and its test in one line
SHOWN = 100  # more are not worth reading, and each costs a row


def heading(view: View) -> str:
    """The number of alerts by severity."""
    critical = sum(1 for alert in view.alerts if alert.severity is Severity.CRITICAL)
    warnings = len(view.alerts) - critical
    counts = ((critical, Severity.CRITICAL), (warnings, Severity.WARNING))
    return " ".join(
        f"{words.SEVERITIES[severity].glyph} {count:,} {words.SEVERITIES[severity].word}"
        for count, severity in counts
        if count
    )


def rows(view: View, width: int, height: int) -> Iterator[Row]:
    """One line per alert, with its advice below if there is space, and always for the first of a metric."""
    run = view.board.session.run
    errors = run.collect_errors if run is not None else []
    for error in errors[:SHOWN]:
        text = format.fit(f"! not collected  {format.name(error.nodeid, width - 17)}", width)
        yield row((text, "error"), target=Target("page", "errors"))
    if not view.alerts and not errors:
        if view.overview.durations.count:
            yield text_row("✓ Everything is within its thresholds.", "passed")
        else:
            yield text_row("No data yet.", "dim")
        return
    advised: set[str] = set()
    everywhere = (2 if width >= ONE_LINE else 4) * len(view.alerts) + len(errors) <= height
    for alert in view.alerts[:SHOWN]:
        yield from alert_rows(alert, view, width)
        if alert.advice and (everywhere or alert.metric not in advised):
            advised.add(alert.metric)
            yield from advice_rows(alert, width)
    if len(view.alerts) > SHOWN:
        yield text_row(
            f"… and {len(view.alerts) - SHOWN:,} more. Press v to list all tests over a threshold.", "dim"
        )


def advice_rows(alert: Alert, width: int) -> Iterator[Row]:
    """The advice in full, wrapped."""
    for number, text in enumerate(format.wrap(alert.advice, width - 5)):
        yield row(("  → " if not number else "    ", "accent"), (text, "dim"))


def alert_rows(alert: Alert, view: View, width: int) -> Iterator[Row]:
    """Severity, metric, value and subject, in one line or, if that is too narrow, in two."""
    word = words.SEVERITIES[alert.severity]
    metric = wording.word(alert.metric)
    target = target_of(alert)
    parts: list[Part] = [
        (f"{word.glyph} {word.word:<8} ", word.role),
        (format.fit(metric, min(15, max(8, width - 22))) + " ", "text"),
        (format.fit(wording.value(alert.metric, alert.value), 9, right=True) + " ", word.role),
    ]
    room = width - width_of(parts)
    if width < ONE_LINE:
        yield Row(
            (
                *parts,
                (format.fit(wording.comparison(alert.metric, alert.value, alert.threshold), room), "dim"),
            ),
            target,
        )
        yield row(("           ", "text"), (_subject(alert, width - 11), "text"))
        return
    if room >= 34:
        parts.append((format.fit(wording.comparison(alert.metric, alert.value, alert.threshold), 16), "dim"))
        room -= 16
    yield Row((*parts, (_subject(alert, room), "text")), target)


def target_of(alert: Alert) -> Target:
    """What enter opens: the fixture, the test, the tests that share the cause, or the panel."""
    if alert.fixture:
        return Target("fixture", alert.fixture)
    if alert.tests == (alert.subject,):
        return Target("test", alert.subject)
    if alert.tests:
        return Target("tests", alert.key)
    return Target("panel", "5" if alert.metric.startswith(("pool", "server")) else "4")


def _subject(alert: Alert, width: int) -> str:
    """The test, or what several tests share and their number, in exactly `width` cells."""
    if alert.tests == (alert.subject,):
        return format.fit(format.short(alert.subject, width), width)
    count = figures.plural(len(alert.tests), "test")
    if alert.fixture:
        scope, _colon, name = alert.fixture.partition(":")
        note = alert.summary or (
            format.short(alert.tests[0], max(8, width - len(name) - 3)) if len(alert.tests) == 1 else count
        )
        text = f"{name} · {note}" if scope == "function" else f"{name} ({scope}) · {note}"
    elif alert.tests and alert.metric != "pool_waiting":
        text = f"{count} · {alert.subject}"
    else:
        text = alert.subject
    return format.fit(format.visible(text), width)
