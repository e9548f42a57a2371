"""Outcomes as pytest's summary line counts them: pure functions of reports and phases."""

from typing import Any, List, Tuple

from tdd_monitor.protocol.codec import shorten
from tdd_monitor.protocol.events import Section, Subtest

_SUBTEST_REPORTS = ("SubtestReport", "SubTestReport")  # pytest 9, pytest-subtests


def is_subtest(report: Any) -> bool:
    """True for the report of a subtest, which has the node id and `when` of its test."""
    return type(report).__name__ in _SUBTEST_REPORTS


def of_report(report: Any) -> str:
    """Outcome of a phase. The reason for an xfail may be an empty string."""
    if hasattr(report, "wasxfail"):
        if report.outcome == "skipped":
            return "xfailed"
        if report.outcome == "passed":
            return "xpassed"
    return str(report.outcome)


def subtest(report: Any) -> Subtest:
    """The record of a subtest."""
    context = report.context
    arguments = ", ".join("%s=%s" % pair for pair in context.kwargs.items())
    description = " ".join(filter(None, (context.msg, "(%s)" % arguments if arguments else "")))
    outcome = of_report(report)
    text = "" if outcome == "passed" else longrepr(report)
    return Subtest(outcome, shorten(description), max(0, int(report.duration * 1e9)), text)


def longrepr(report: Any) -> str:
    """The traceback, or the reason for a skip or xfail."""
    where = report.longrepr
    skipped = isinstance(where, tuple) and len(where) == 3
    text = "%s:%s: %s" % where if skipped else _text(report)
    reason = getattr(report, "wasxfail", "")
    if reason:
        text = "%s\n\n%s" % (reason, text) if text else str(reason)
    return shorten(text)


def _text(report: Any) -> str:
    """The traceback as pytest prints it: `longreprtext` strips the indent of its first line."""
    text = str(report.longreprtext)
    try:
        first = report.longrepr.chain[0][0].reprentries[0].lines[0]
    except (AttributeError, IndexError, TypeError):  # another traceback style, or another plugin's
        return text
    indent = first[: len(first) - len(first.lstrip())]
    return indent + text if text.startswith(first.strip()) else text


def sections(report: Any, seen: int) -> Tuple[Section, ...]:
    """Captured output of this phase alone: a report repeats the sections of earlier phases."""
    found: List[Tuple[str, str]] = report.sections
    if not found:
        return ()
    if seen > len(found):
        seen = 0
    return tuple([Section(str(title), shorten(str(text))) for title, text in found[seen:]])
