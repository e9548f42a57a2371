"""What pytest said itself: its summary, its last output, the reason of its exit code."""

import re
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from tdd_monitor.session import queries
from tdd_monitor.session.model import Run, RunState
from tdd_monitor.terminal import plain_lines

_LAST_LINES = 50
_COUNTS = re.compile(r"=+ .* in [\d.:hms ()]+ =+$")  # pytest's last line, which ours stands for
_OWN_CATEGORY = "tdd-monitor"  # of warnings that the plugin raises itself


def print_words(run: Run, console: Console, output: Sequence[str]) -> None:
    """Print what pytest and its plugins said; `output` is everything, for runs without a session."""
    if run.state is RunState.LOST:
        _block(console, "Last output of pytest", run.lost.output if run.lost else "")
        return
    _block(console, "pytest", run.header + run.summary)
    if run.cancel_reason == "internal":
        _block(console, "Internal error of pytest or a plugin", run.cancel_detail)
    if queries.unexplained_exit(run):
        _block(console, "Last output of pytest", "\n".join(_behind_summary(run, output)))
    if not (run.summary or run.started_ns or run.collect_errors or run.cancel_reason):
        _block(console, "Output of pytest", "\n".join(output))


def print_advice(warnings: Iterable[tuple[str, str]], console: Console) -> None:
    """Print what the plugin has to say itself, from (category, message) of all warnings."""
    for category, message in warnings:
        if category == _OWN_CATEGORY:
            console.print(Text("\n".join(plain_lines(message)), "yellow"), soft_wrap=True)


def unexplained(run: Run) -> str:
    """Return a sentence for an exit code that nothing else in the report explains, else ""."""
    if not queries.unexplained_exit(run):
        return ""
    where = "see its output above" if run.summary else "a plugin or conftest.py set it"
    return f"pytest ended with exit code {run.exitstatus}, although no test failed: {where}."


def stopped(run: Run) -> str:
    """Return why the run ended early, in one line; "" when it did not."""
    detail = " ".join(run.cancel_detail.split())
    if not run.cancel_reason or run.cancel_reason == "internal" or not detail:
        return run.cancel_reason
    return detail if run.cancel_reason == "cancelled" else f"{run.cancel_reason}: {detail}"


def _behind_summary(run: Run, output: Sequence[str]) -> list[str]:
    """What was printed after the summary, such as the traceback of a failing plugin."""
    said = [line for line in run.summary.splitlines() if line.strip()]
    lines = [line for line in output[-_LAST_LINES:] if line.strip() and not _COUNTS.match(line)]
    if said and said[-1] in lines:
        del lines[: len(lines) - lines[::-1].index(said[-1])]
    return lines


def _block(console: Console, title: str, text: str) -> None:
    if text.strip():
        console.rule(title, style="dim")
        console.print(Text("\n".join(plain_lines(text.strip("\n")))), soft_wrap=True)
