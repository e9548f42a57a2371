"""The verdict of the gate, for people and as JSON."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tdd_monitor.config.gate import FAIL, NOT_MEASURED, PASSED
from tdd_monitor.terminal import visible
from tdd_monitor.verdict.gate import Check, GateVerdict, Status

_STYLES = {Status.PASSED: "green", Status.FAILED: "bold red", Status.NOT_MEASURED: "yellow"}
_GLYPHS = {Status.PASSED: "✓", Status.FAILED: "✗", Status.NOT_MEASURED: "?"}


def print_gate(verdict: GateVerdict, console: Console) -> None:
    """One line per check, and the result."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in verdict.checks:
        table.add_row(_status(check), check.name, visible(check.detail))
    console.print(table)
    code = verdict.exitcode
    if code == PASSED:
        console.print(Text("Performance gate passed.", "green"))
    elif code == NOT_MEASURED:
        console.print(Text("Performance gate not passed: it could not be measured.", "bold yellow"))
    else:
        console.print(Text("Performance gate failed.", "bold red"))


def _status(check: Check) -> Text:
    warning = check.level != FAIL and check.status is not Status.PASSED
    word = "warning" if warning else check.status.value
    return Text(f"{_GLYPHS[check.status]} {word}", "yellow" if warning else _STYLES[check.status])


def document(verdict: GateVerdict) -> dict[str, Any]:
    """The verdict in the JSON report: `passed`, and each check with its level and status."""
    return {
        "passed": verdict.exitcode == PASSED,
        "checks": [
            {"name": check.name, "level": check.level, "status": check.status.value, "detail": check.detail}
            for check in verdict.checks
        ],
    }
