"""Short, bounded plain text for coding agents: what failed, what is too slow, what to run next."""

import re
from collections.abc import Iterable, Iterator, Sequence

from tdd_monitor.terminal import plain_lines, shell_word, visible

from . import results
from .results import Document, Entry

MAX_FAILURES = 10  # with their tracebacks
MAX_NAMES = 30  # of further failures
MAX_LISTED = 10  # alerts, regressions, node ids in a command
MAX_TRACEBACK = 30  # lines
MAX_OUTPUT = 10  # last lines of each captured output
MAX_WIDTH = 200
MAX_LINES = 200
_MARKED = re.compile(r">|E( |$)|\S+:\d+: ")
_CONTEXT = 4


def render(document: Document) -> str:
    """The report; everything but the last section is cut at `MAX_LINES`."""
    lines = [f"{results.outcome_line(document)}; pytest's exit code is {document['exitcode']}"]
    lines += [f"INCOMPLETE OR UNEXPLAINED: {problem}" for problem in results.problems(document)]
    for section in (_collect_errors, _failures, _pytest, _gate, _regressions, _alerts):
        lines += section(document)
    lines = [_cut(line) for line in lines]
    if len(lines) > MAX_LINES:
        lines[MAX_LINES:] = [f"... {len(lines) - MAX_LINES} lines cut; --report json=FILE has everything"]
    return "\n".join([*lines, *_next(document)]) + "\n"


def _cut(line: str) -> str:
    return line if len(line) <= MAX_WIDTH else f"{line[:MAX_WIDTH]}... [{len(line) - MAX_WIDTH} more]"


def _collect_errors(document: Document) -> Iterator[str]:
    errors = document["collect_errors"]
    for error in errors[:MAX_FAILURES]:
        yield from ("", f"ERROR collecting {visible(error['nodeid'])}  {results.place(error)}")
        yield from _quoted(relevant(error["longrepr"]))
    yield from _more(errors, MAX_FAILURES, "collection errors")


def _failures(document: Document) -> Iterator[str]:
    tests = results.failed(document)
    for test in tests[:MAX_FAILURES]:
        for failure in test["failures"]:
            when = f" ({visible(failure['when'])})" if failure["when"] not in ("", "call") else ""
            yield from (
                "",
                f"{test['outcome'].upper()} {visible(test['nodeid'])}{when}  {results.place(failure)}",
            )
            yield from _quoted(relevant(failure["longrepr"] or failure["message"]))
            for output in failure["output"]:
                yield f"--- {visible(output['title'])} ---"
                yield from _quoted(_last(output["text"], MAX_OUTPUT))
    rest = tests[MAX_FAILURES:]
    if rest:
        yield from ("", f"{len(rest)} more failed:")
        yield from (visible(test["nodeid"]) for test in rest[:MAX_NAMES])
        yield from _more(rest, MAX_NAMES, "failures")


def relevant(text: str) -> list[str]:
    """A traceback of at most `MAX_TRACEBACK` lines: those that pytest marks, and some before the last one."""
    lines = text.splitlines()
    if len(lines) <= MAX_TRACEBACK:
        return lines
    marked = [number for number, line in enumerate(lines) if _MARKED.match(line)]
    if not marked:
        return ["...", *lines[-MAX_TRACEBACK:]]
    last = max((number for number in marked if lines[number].startswith(">")), default=marked[-1])
    chosen = [*range(max(0, last - _CONTEXT), last), *(number for number in marked if number >= last)]
    earlier = [number for number in marked if number < last - _CONTEXT]
    chosen = chosen[:MAX_TRACEBACK]
    chosen = sorted({*earlier[: MAX_TRACEBACK - len(chosen)], *chosen})
    kept: list[str] = []
    for number, before in zip(chosen, [-1, *chosen], strict=False):
        kept += ["..."] * (number > before + 1)
        kept.append(lines[number])
    return kept


def _quoted(texts: Iterable[str]) -> Iterator[str]:
    """Foreign lines with a mark in front: in a CI log a line that starts with :: would be a command."""
    for text in texts:
        yield from (f"| {line}".rstrip() for line in plain_lines(text))


def _last(text: str, count: int) -> list[str]:
    lines = text.rstrip("\n").splitlines()
    return ["...", *lines[-count:]] if len(lines) > count else lines


def _pytest(document: Document) -> Iterator[str]:
    """What explains a run without results: a death, a usage error, an exit code set by a plugin."""
    text = document["pytest"].get("last_output", "")
    if text.strip():
        yield from ("", "Last output of pytest:")
        yield from _quoted(_last(text, MAX_TRACEBACK))
    if document["notices"]:
        yield from ("", *_quoted(document["notices"][:MAX_LISTED]))


def _gate(document: Document) -> Iterator[str]:
    gate = document["gate"]
    if gate is not None:
        yield from ("", f"PERFORMANCE GATE {'passed' if gate['passed'] else 'NOT PASSED'}")
        for check in gate["checks"]:
            if check["status"] != "passed":
                yield f"{check['status']} ({check['level']}) {check['name']}: {visible(check['detail'])}"


def _regressions(document: Document) -> Iterator[str]:
    found = results.verdicts(document)
    if found:
        yield from ("", "WORSE THAN EARLIER RUNS")
        for verdict in found[:MAX_LISTED]:
            yield f"{verdict['state']} {visible(verdict['nodeid'])}: {results.verdict_line(verdict)}"
        yield from _more(found, MAX_LISTED, "tests")


def _alerts(document: Document) -> Iterator[str]:
    alerts = document["alerts"]
    if alerts:
        yield from ("", f"OVER THRESHOLD ({len(alerts)})")
        for alert in alerts[:MAX_LISTED]:
            yield f"{alert['severity']} {visible(alert['subject'])}: {results.alert_line(alert)}"
        yield from _more(alerts, MAX_LISTED, "alerts")


def _more(found: Sequence[object], shown: int, what: str) -> Iterator[str]:
    if len(found) > shown:
        yield f"... and {len(found) - shown} more {what}"


def _next(document: Document) -> Iterator[str]:
    """Commands that work when they are pasted as they are."""
    environment = document["environment"]
    root, start = environment["rootdir"], environment["directory"]
    enter = f"cd {shell_word(root)} && " if root and root != start else ""
    failed = [test["nodeid"] for test in results.failed(document)]
    over = _worst(document["alerts"])
    commands: list[tuple[str, str]] = []
    if failed:
        again = "-- --lf" if len(failed) > MAX_LISTED else _words(failed)
        commands.append(("rerun what failed", f"run {again}"))
        commands.append(("one failure in full", f"run {_words(failed[:1])} -- -vv --tb=long"))
    if over:
        commands.append(("rerun what is over a threshold", f"run {_words(over[:MAX_LISTED])}"))
    if failed or over:
        commands.append(("earlier runs of a test", f"history {_words((failed or over)[:1])}"))
    if commands:
        yield from ("", "NEXT")
    for what, command in commands:
        yield f"{what}: {enter}tdd-monitor {command}"


def _worst(alerts: Iterable[Entry]) -> list[str]:
    """The worst test of each alert, the worst alert first."""
    return list(dict.fromkeys(nodeid for alert in alerts for nodeid in alert["tests"][:1]))


def _words(nodeids: Sequence[str]) -> str:
    return " ".join(shell_word(nodeid) for nodeid in nodeids)
