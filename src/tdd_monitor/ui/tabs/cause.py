"""An alert shared by several tests: the alert, the advice, and each test with its value."""

from collections.abc import Iterator

from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import BLANK, Row, Target, row, text_row
from tdd_monitor.verdict import Alert, Board, wording

from .alerts import rule_rows, severity_row
from .subject import text_rows

SHOWN = 500


def rows(alert: Alert, board: Board, width: int) -> Iterator[Row]:
    """The alert in full, then its tests, worst first."""
    yield severity_row(alert)
    yield from text_rows(alert.subject, width, "text")
    if alert.detail:
        yield from text_rows(alert.detail, width, "dim")
    yield from rule_rows(alert, width)
    if alert.advice:
        yield from text_rows(f"→ {alert.advice}", width, "accent")
    yield BLANK
    for nodeid in alert.tests[:SHOWN]:
        value = format.fit(_value(alert, board, nodeid), 9, right=True)
        name = format.name(nodeid, width - 12)
        yield row((f"{value}  ", "dim"), (name, "text"), target=Target("test", nodeid))
    if len(alert.tests) > SHOWN:
        yield text_row(f"… and {len(alert.tests) - SHOWN:,} more. Press t to run all of them.", "dim")


def _value(alert: Alert, board: Board, nodeid: str) -> str:
    """The test's own value, or "" if it no longer contributes."""
    for own in board.of_test.get(nodeid, ()):
        if own.cause == alert.cause or (own.waited and own.pool == alert.pool):
            return wording.value(own.metric, own.value)
    return ""
