"""Markdown for the summary of a CI job.

Tables are HTML, which Markdown allows: in a pipe table no escaping of foreign text holds everywhere. A job
summary of GitHub may have 1 MiB, so the lists and the texts are bounded.
"""

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from tdd_monitor import figures
from tdd_monitor.terminal import plain_lines, visible

from . import results
from .results import Document, Entry

MAX_FAILURES = 20
MAX_LISTED = 20
MAX_TEXT = 8_000  # characters of one traceback
SLOWEST = 10


def render(document: Document) -> str:
    """The report, which ends with an empty line so that more can be appended."""
    parts = [f"## {_glyph(document)} {text(results.outcome_line(document))}"]
    parts += [f"> **Warning:** {text(problem)}" for problem in results.problems(document)]
    for section in (_failures, _gate, _regressions, _alerts, _slowest):
        parts += section(document)
    return "\n\n".join(parts) + "\n\n"


def text(value: str) -> str:
    """Plain words that neither Markdown nor GitHub's mentions and links interpret."""
    safe = html.escape(visible(value))
    return "".join(f"&#{ord(char)};" if char in "\\`*_[]|~@#:!" else char for char in safe)


def code(value: str) -> str:
    """One line of foreign text inside an HTML table, where Markdown is not interpreted."""
    return f"<code>{html.escape(visible(value))}</code>"


def _glyph(document: Document) -> str:
    gate = document["gate"]
    return "❌" if document["exitcode"] or (gate and not gate["passed"]) else "✅"


def _failures(document: Document) -> Iterator[str]:
    errors, tests = document["collect_errors"], results.failed(document)
    if not (errors or tests):
        return
    yield "### Failures"
    for error in errors[:MAX_FAILURES]:
        yield from _details("ERROR collecting", error["nodeid"], error)
    for test in tests[:MAX_FAILURES]:
        for failure in test["failures"]:
            phase = "" if failure["when"] in ("", "call") else f" in {html.escape(visible(failure['when']))}"
            yield from _details(test["outcome"].upper() + phase, test["nodeid"], failure)
    more = max(0, len(errors) - MAX_FAILURES) + max(0, len(tests) - MAX_FAILURES)
    if more:
        yield f"… and {more} more."


def _details(word: str, nodeid: str, failure: Entry) -> Iterator[str]:
    """A traceback to unfold: the empty line before <pre> lets it contain empty lines."""
    message = results.first_line(failure["message"])
    place = code(results.place(failure))
    yield f"<details><summary>{word} {code(nodeid)}<br>{place} {code(message)}</summary>"
    blocks = [failure["longrepr"] or failure["message"]]
    blocks += [f"--- {output['title']} ---\n{output['text']}" for output in failure.get("output", ())]
    yield f"<pre>{_preformatted(_shortened(chr(10).join(blocks)))}</pre>"
    yield "</details>"


def _preformatted(value: str) -> str:
    """Escaped; a line that starts with :: would be a command in the log of GitHub Actions."""
    return re.sub(r"^(\s*):", r"\1&#58;", html.escape(value), flags=re.MULTILINE)


def _shortened(value: str) -> str:
    value = "\n".join(plain_lines(value))
    if len(value) <= MAX_TEXT:
        return value
    half = MAX_TEXT // 2
    return f"{value[:half]}\n... [{len(value) - MAX_TEXT:,} characters cut] ...\n{value[-half:]}"


def _gate(document: Document) -> Iterator[str]:
    gate = document["gate"]
    if gate is not None:
        yield f"### Performance gate {'passed' if gate['passed'] else 'not passed'}"
        rows = [(c["status"], c["level"], code(c["name"]), code(c["detail"])) for c in gate["checks"]]
        yield _table(("status", "level", "check", "value"), rows)


def _regressions(document: Document) -> Iterator[str]:
    found = results.verdicts(document)
    if found:
        yield "### Worse than earlier runs"
        rows = [(each["state"], code(each["nodeid"]), code(results.verdict_line(each))) for each in found]
        yield from _listed(("state", "test", "change"), rows)


def _alerts(document: Document) -> Iterator[str]:
    alerts = document["alerts"]
    if alerts:
        yield f"### Over threshold ({len(alerts)})"
        rows = [(each["severity"], code(each["subject"]), code(results.alert_line(each))) for each in alerts]
        yield from _listed(("severity", "what", "value"), rows)


def _slowest(document: Document) -> Iterator[str]:
    tests = results.slowest(document)[:SLOWEST]
    if tests:
        yield f"<details><summary>Slowest tests ({len(tests)})</summary>"
        rows = [(figures.milliseconds(test["test_duration_ms"]), code(test["nodeid"])) for test in tests]
        yield _table(("own time", "test"), rows)
        yield "</details>"


def _listed(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _table(columns, rows[:MAX_LISTED])
    if len(rows) > MAX_LISTED:
        yield f"… and {len(rows) - MAX_LISTED} more."


def _table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<table>", f"<tr>{''.join(f'<th>{column}</th>' for column in columns)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])
