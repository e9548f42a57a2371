"""One self-contained HTML page: no network, and complete without JavaScript.

Its content security policy names the one script and the one style sheet by their hashes, so that nothing in
a test's name or output can ever run or load anything.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from tdd_monitor import figures, stylesheets
from tdd_monitor.terminal import plain_lines, visible
from tdd_monitor.verdict import wording

from . import charts, results
from .results import Document, Entry

Cell = tuple[str, float | None] | str  # HTML, with the value to sort by where that is a number

_COLUMNS = (
    "outcome",
    "own time",
    "CPU",
    "setup",
    "call",
    "teardown",
    "queries",
    "memory",
    "attempts",
    "test",
)
_TEXTS = frozenset({"outcome", "test"})


def render(document: Document) -> str:
    """The page."""
    (style,) = (path.read_text(encoding="utf-8") for path in stylesheets.find("report.css"))
    script = Path(__file__).with_name("report.js").read_text(encoding="utf-8")
    policy = f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}"
    title = escape(results.outcome_line(document))
    sections = (_problems, _failures, _gate, _regressions, _alerts, _charts, _tests, _environment)
    content = "\n".join(line for section in sections for line in section(document))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{content}
<script>{script}</script>
</body>
</html>
"""


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _problems(document: Document) -> Iterator[str]:
    for problem in results.problems(document):
        yield f'<p class="failed">{_line(problem)}</p>'
    last = document["pytest"].get("last_output", "")
    if last.strip():
        yield f"<details open><summary>Last output of pytest</summary>{_pre(last)}</details>"
    for notice in document["notices"]:
        yield f'<p class="warning">{_line(notice)}</p>'


def _failures(document: Document) -> Iterator[str]:
    errors, tests = document["collect_errors"], results.failed(document)
    if not (errors or tests):
        return
    yield "<h2>Failures</h2>"
    for error in errors:
        yield _failure("error", "ERROR collecting", error["nodeid"], error)
    for test in tests:
        for failure in test["failures"]:
            phase = "" if failure["when"] in ("", "call") else f" in {failure['when']}"
            yield _failure(test["outcome"], test["outcome"].upper() + phase, test["nodeid"], failure)


def _failure(outcome: str, word: str, nodeid: str, failure: Entry) -> str:
    message = results.first_line(failure["message"])
    head = f'<span class="{escape(outcome)}">{_line(word)}</span> {_code(nodeid)}'
    head += f'<br><span class="dim">{escape(results.place(failure))}</span> {_code(message)}'
    texts = [_pre(failure["longrepr"] or failure["message"])]
    for output in failure.get("output", ()):
        texts += [f"<p>{_line(output['title'])}</p>", _pre(output["text"])]
    return f"<details><summary>{head}</summary>{''.join(texts)}</details>"


def _gate(document: Document) -> Iterator[str]:
    gate = document["gate"]
    if gate is not None:
        yield f"<h2>Performance gate {'passed' if gate['passed'] else 'not passed'}</h2>"
        rows = [
            (_word(check["status"]), check["level"], _code(check["name"]), _line(check["detail"]))
            for check in gate["checks"]
        ]
        yield from _table(("status", "level", "check", "value"), rows)


def _regressions(document: Document) -> Iterator[str]:
    found = results.verdicts(document)
    if found:
        yield "<h2>Worse than earlier runs</h2>"
        rows = [(_word(e["state"]), _code(e["nodeid"]), escape(results.verdict_line(e))) for e in found]
        yield from _table(("state", "test", "change"), rows)


def _alerts(document: Document) -> Iterator[str]:
    alerts = document["alerts"]
    if alerts:
        yield f"<h2>Over threshold ({len(alerts)})</h2>"
        rows = [(_word(e["severity"]), _alert(e), _tests_of(e)) for e in alerts]
        yield from _table(("severity", "value", "tests"), rows)


def _alert(alert: Entry) -> str:
    """What was measured, and of what where that is not the test in the next column."""
    subject = "" if alert["subject"] in alert["tests"] else f"{_code(alert['subject'])}: "
    return subject + escape(results.alert_line(alert))


def _tests_of(alert: Entry) -> str:
    tests = alert["tests"]
    if not tests:
        return _code(alert["subject"])
    first = _code(tests[0])
    if len(tests) == 1:
        return first
    listed = "<br>".join(_code(nodeid) for nodeid in tests)
    return f"<details><summary>{figures.plural(len(tests), 'test')}</summary>{listed}</details>"


def _charts(document: Document) -> Iterator[str]:
    if not results.slowest(document):
        return
    yield f"<h2>Durations</h2>{charts.histogram(document)}"
    yield f"<h2>Slowest tests</h2><p>From left to right: setup, call, teardown.</p>{charts.slowest(document)}"
    if any(test["start_ms"] is not None for test in results.ran(document)):
        yield f"<h2>Time line</h2>{charts.time_line(document)}"
        yield f"<h2>Memory</h2>{charts.memory(document)}"


def _tests(document: Document) -> Iterator[str]:
    tests = results.ran(document)
    yield f"<h2>Tests ({len(tests):,})</h2>"
    yield from _table(_COLUMNS, map(_row, tests), "tests")


def _row(test: Entry) -> Sequence[Cell]:
    over = ", ".join(map(wording.word, test["over_threshold"]))
    name = _code(test["nodeid"]) + (f' <span class="warning">{_line(over)}</span>' if over else "")
    phases = (test["phases"].get(when, {}).get("wall_ms") for when in charts.PHASES)
    times = (test.get("test_duration_ms"), test.get("cpu_ms"), *phases)
    queries, memory_mb = test["queries"], test.get("memory_usage_mb")
    return (
        _word(test["outcome"]),
        *(("" if value is None else figures.milliseconds(value), value) for value in times),
        ("" if queries is None else f"{queries:g}", queries),
        ("" if memory_mb is None else figures.size(memory_mb * figures.MB, signed=True), memory_mb),
        (str(test["attempts"]), test["attempts"]),
        name,
    )


def _environment(document: Document) -> Iterator[str]:
    environment = document["environment"]
    parts = [document["generator"], f"Python {environment['python']}", f"pytest {environment['pytest']}"]
    parts += filter(
        None, [document["started_at"], environment["rootdir"], f"exit code {document['exitcode']}"]
    )
    yield f'<p class="dim">{_line(", ".join(parts))}</p>'


def _table(columns: Iterable[str], rows: Iterable[Sequence[Cell]], name: str = "") -> Iterator[str]:
    kinds = ((each, "text" if each in _TEXTS else "number") for each in columns)
    heads = "".join(f'<th data-kind="{kind}" scope="col">{escape(each)}</th>' for each, kind in kinds)
    yield f'<table id="{name}">' if name else "<table>"
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for row in rows:
        yield f"<tr>{''.join(map(_cell, row))}</tr>"
    yield "</tbody></table>"


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"<td>{cell}</td>"
    text, value = cell
    return f'<td class="number" data-value="{-1 if value is None else value}">{escape(text)}</td>'


def _word(word: str) -> str:
    return f'<span class="{escape(word)}">{escape(word)}</span>'


def _line(text: str) -> str:
    return escape(visible(text))


def _code(text: str) -> str:
    return f"<code>{_line(text)}</code>"


def _pre(text: str) -> str:
    return f"<pre>{escape(chr(10).join(plain_lines(text)))}</pre>"
