"""Annotations for GitHub Actions: workflow commands in the log, shown at file and line of the change.

GitHub shows ten errors and ten warnings of a step and drops the others, so the last one counts the rest.
"""

import os
from collections.abc import Iterator
from pathlib import PurePath

from tdd_monitor.terminal import plain_lines, visible

from . import results
from .results import Document, Entry

MAX_SHOWN = 10  # of each kind
MAX_MESSAGE = 4_000  # characters


def render(document: Document) -> str:
    """One command a line; empty if there is nothing to say."""
    prefix = _prefix(document["environment"]["rootdir"], os.environ.get("GITHUB_WORKSPACE", ""))
    lines = [*_limited("error", list(_errors(document, prefix)))]
    lines += _limited("warning", list(_warnings(document, prefix)))
    return "".join(f"{line}\n" for line in lines)


def _errors(document: Document, prefix: str) -> Iterator[str]:
    for problem in results.problems(document):
        yield _command("error", "tdd-monitor", problem)
    yield from _gate(document, "fail", "error")
    for error in document["collect_errors"]:
        yield _command("error", f"Cannot collect {error['nodeid']}", error["message"], prefix, error)
    for test in results.failed(document):
        for failure in test["failures"]:
            when = f" ({failure['when']})" if failure["when"] not in ("", "call") else ""
            yield _command("error", test["nodeid"] + when, failure["message"], prefix, failure)


def _warnings(document: Document, prefix: str) -> Iterator[str]:
    tests = {test["nodeid"]: test for test in document["tests"]}
    yield from _gate(document, "warn", "warning")
    for verdict in results.verdicts(document):
        test = tests.get(verdict["nodeid"])
        title = f"{verdict['state']}: {verdict['nodeid']}"
        yield _command("warning", title, results.verdict_line(verdict), prefix, test)
    for alert in document["alerts"]:
        test = tests.get(alert["tests"][0]) if alert["tests"] else None
        yield _command("warning", alert["subject"], results.alert_line(alert), prefix, test)


def _gate(document: Document, level: str, kind: str) -> Iterator[str]:
    for check in (document["gate"] or {"checks": ()})["checks"]:
        if check["level"] == level and check["status"] != "passed":
            yield _command(kind, "Performance gate", f"{check['status']}: {check['name']} {check['detail']}")


def _limited(kind: str, lines: list[str]) -> list[str]:
    if len(lines) <= MAX_SHOWN:
        return lines
    rest = len(lines) - MAX_SHOWN + 1
    return [*lines[: MAX_SHOWN - 1], _command(kind, "tdd-monitor", f"and {rest} more, not shown here")]


def _command(kind: str, title: str, message: str, prefix: str = "", place: Entry | None = None) -> str:
    properties = {"title": visible(title)}
    if place is not None and place["file"]:
        properties = {"file": visible(prefix + place["file"]), "line": str(place["line"] or 1)} | properties
    shown = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{kind} {shown}::{_escaped(chr(10).join(plain_lines(message))[:MAX_MESSAGE])}"


def _escaped(text: str, more: str = "") -> str:
    """Escaped as the runner decodes it; in properties `:` and `,` too."""
    for char in f"%\r\n{more}":
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def _prefix(rootdir: str, workspace: str) -> str:
    """What leads from the checkout to the project, whose files are relative to pytest's rootdir."""
    try:
        below = PurePath(rootdir).relative_to(workspace).as_posix()
    except ValueError:
        return ""
    return "" if not workspace or below == "." else f"{below}/"
