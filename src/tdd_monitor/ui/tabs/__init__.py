"""The tabs of the detail screen, one module each. Pure functions of a Subject."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tdd_monitor.ui.text.parts import Row

from . import alerts, attempts, history, memory, queries, traceback, waterfall
from .subject import Subject

__all__ = ["TABS", "Subject", "Tab"]


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab: its name, its rows for a width, and whether it has content."""

    name: str
    rows: Callable[[Subject, int], Iterable[Row]]
    filled: Callable[[Subject], bool]


TABS = (
    Tab("Overview", waterfall.rows, lambda subject: True),
    Tab("Traceback", traceback.rows, traceback.filled),
    Tab("Memory", memory.rows, lambda subject: subject.record is not None),
    Tab("Queries", queries.rows, queries.filled),
    Tab("History", history.rows, lambda subject: bool(subject.item.history_ns)),
    Tab("Attempts", attempts.rows, lambda subject: bool(subject.item.earlier)),
    Tab("Subtests", attempts.subtest_rows, attempts.has_subtests),
    Tab("Alerts", alerts.rows, lambda subject: bool(subject.alerts)),
)
