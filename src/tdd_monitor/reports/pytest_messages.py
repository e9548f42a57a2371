"""pytest's own messages: its summary, its last output, the reason for its exit code."""

import re
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from tdd_monitor.session import queries
from tdd_monitor.session.model import Run, RunState
from tdd_monitor.terminal import plain_lines

_LAST_LINES = 50
_COUNTS = re.compile(r"=+ .* in [\d.:hms ()]+ =+$")  # pytest's last line, which ours replaces
_OWN_CATEGORY = "tdd-monitor"  # category of the plugin's own warnings


def print_messages(run: Run, console: Console, output: Sequence[str]) -> None:
    """Print the messages of pytest and its plugins; all of `output` for runs without a session."""
    if run.state is not RunState.LOST:
        _block(console, "pytest", run.header + run.summary)
        if run.cancel_reason == "internal":
            _block(console, "Internal error of pytest or a plugin", run.cancel_detail)
    whole = run.state is not RunState.LOST and _without_session(run)
    _block(console, "Output of pytest" if whole else "Last output of pytest", last_output(run, output))


def last_output(run: Run, output: Sequence[str]) -> str:
    """What pytest printed at the end, where that explains what nothing else does: a death, an exit code."""
    if run.state is RunState.LOST:
        return run.lost.output if run.lost else ""
    if _without_session(run):
        return "\n".join(output)
    return "\n".join(_after_summary(run, output)) if queries.unexplained_exit(run) else ""


def _without_session(run: Run) -> bool:
    """True for --help and the like, and for usage errors."""
    return not (run.summary or run.started_ns or run.collect_errors or run.cancel_reason)


def print_advice(warnings: Iterable[tuple[str, str]], console: Console) -> None:
    """Print the plugin's own warnings among all (category, message) pairs."""
    for category, message in warnings:
        if category == _OWN_CATEGORY:
            console.print(Text("\n".join(plain_lines(message)), "yellow"), soft_wrap=True)


def unexplained(run: Run) -> str:
    """Return a sentence for an exit code that nothing else in the report explains, else ""."""
    if not queries.unexplained_exit(run):
        return ""
    where = "see its output above" if run.summary else "a plugin or conftest.py set it"
    return f"pytest ended with exit code {run.exitstatus}, although no test failed: {where}."


def died(run: Run) -> str:
    """Return how pytest died, such as "SIGKILL"; "" when it did not."""
    if run.state is not RunState.LOST or run.lost is None:
        return ""
    return run.lost.signal or f"exit code {run.lost.exitcode}"


def stopped(run: Run) -> str:
    """Return why the run ended early, in one line; "" when it did not."""
    detail = " ".join(run.cancel_detail.split())
    if not run.cancel_reason or run.cancel_reason == "internal" or not detail:
        return run.cancel_reason
    return detail if run.cancel_reason == "cancelled" else f"{run.cancel_reason}: {detail}"


def _after_summary(run: Run, output: Sequence[str]) -> list[str]:
    """Lines printed after the summary, such as the traceback of a failing plugin."""
    summary = [line for line in run.summary.splitlines() if line.strip()]
    lines = [line for line in output[-_LAST_LINES:] if line.strip() and not _COUNTS.match(line)]
    if summary and summary[-1] in lines:
        del lines[: len(lines) - lines[::-1].index(summary[-1])]
    return lines


def _block(console: Console, title: str, text: str) -> None:
    if text.strip():
        console.rule(title, style="dim")
        console.print(Text("\n".join(plain_lines(text.strip("\n")))), soft_wrap=True)
