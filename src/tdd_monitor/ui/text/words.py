"""Glyph, word and role of every outcome and state, and advice for exit statuses.

Colour never carries meaning alone: every state has its own glyph and word too.
"""

from dataclasses import dataclass

from tdd_monitor.config import Severity, severity
from tdd_monitor.session import completeness, queries
from tdd_monitor.session.model import Item, ItemState, Run, RunState


@dataclass(frozen=True, slots=True)
class Word:
    """How an outcome or state is shown."""

    glyph: str
    word: str
    role: str


OUTCOMES = {
    "passed": Word("✓", "passed", "passed"),
    "failed": Word("✗", "failed", "failed"),
    "error": Word("!", "error", "error"),
    "skipped": Word("»", "skipped", "skipped"),
    "xfailed": Word("x", "xfailed", "xfailed"),
    "xpassed": Word("X", "xpassed", "xpassed"),
    "lost": Word("†", "lost", "lost"),
    "rerun": Word("↻", "rerun", "flaky"),
    "flaky": Word("↻", "flaky", "flaky"),
}

RUNNING = Word("●", "running", "running")
PENDING = Word("○", "waiting", "pending")
IDLE = Word("·", "not run", "idle")

SEVERITIES = {
    Severity.WARNING: Word("▲", "warning", "warning"),
    Severity.CRITICAL: Word("◆", "critical", "critical"),
}

WITHIN = Word(" ", "", "text")  # within the threshold

RUN_STATES = {
    RunState.STARTING: Word("○", "starting", "pending"),
    RunState.COLLECTING: Word("○", "collecting", "running"),
    RunState.RUNNING: Word("●", "running", "running"),
    RunState.CANCELLING: Word("■", "cancelling", "warning"),
    RunState.LOST: Word("†", "lost", "lost"),
}

EXIT_STATUS = {
    0: Word("✓", "all passed", "passed"),
    1: Word("✗", "failures", "failed"),
    2: Word("■", "interrupted", "warning"),
    3: Word("!", "internal error", "error"),
    4: Word("!", "usage error", "error"),
    5: Word("·", "no tests found", "warning"),
}

EXIT_ADVICE = {
    3: "pytest or a plugin crashed. Press o for the output.",
    4: "pytest rejected its arguments. Press o for its message.",
    5: "pytest found no tests. Check the path, -k and -m, and that files are named test_*.py.",
}


def of_value(value: float, threshold: float) -> Word:
    """How a value compares with its threshold; a threshold of 0 is off."""
    return SEVERITIES[severity(value, threshold)] if threshold and value > threshold else WITHIN


def of_item(item: Item) -> Word:
    """The current state of an item."""
    if item.state is ItemState.RUNNING:
        return RUNNING
    if item.state is ItemState.PENDING:
        return PENDING
    if item.flaky:
        return OUTCOMES["flaky"]
    return OUTCOMES.get(item.outcome, IDLE)


def of_run(run: Run) -> Word:
    """The current state of a run."""
    if run.state is RunState.LOST and run.hello is None:
        return Word("!", "not started", "error")
    if run.state is not RunState.FINISHED:
        return RUN_STATES[run.state]
    if run.collect_errors and run.exitstatus == 2:
        return Word("!", "collection errors", "error")
    status = run.exitstatus if run.exitstatus is not None else 0
    if status == 0 and completeness.problems(run):
        return Word("!", "incomplete", "error")
    if status == 1 and queries.unexplained_exit(run):
        return Word("!", "exit status 1", "error")
    return EXIT_STATUS.get(status, Word("!", f"exit status {status}", "error"))


def of_cancel(run: Run) -> str:
    """The reason why a run was interrupted, as text."""
    reasons = {
        "maxfail": "stopped by --maxfail",
        "interrupt": "interrupted",
        "collection": "collection failed",
        "timeout": "timed out",
        "internal": "internal error",
        "cancelled": "cancelled",
    }
    return reasons.get(run.cancel_reason, run.cancel_reason)
