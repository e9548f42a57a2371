"""What the report formats say in the same words; read from the JSON document alone."""

from collections.abc import Mapping
from typing import Any

from tdd_monitor.session.model import FAILURES
from tdd_monitor.terminal import visible
from tdd_monitor.verdict import wording

Document = Mapping[str, Any]
Entry = Mapping[str, Any]  # a part of the document: a test, a failure, an alert


def counts_text(counts: dict[str, int]) -> str:
    """The counts in the words of pytest's last line: "2 failed, 39 passed, 1 skipped"."""
    order = ("failed", "error", "lost", "passed", "skipped", "deselected", "xfailed", "xpassed", "rerun")
    words = [word for word in (*order, *(word for word in counts if word not in order)) if counts.get(word)]
    if set(words) <= {"deselected"}:
        words.insert(0, "no tests ran")
    return ", ".join(_counted(word, counts.get(word, 0)) for word in words)


def _counted(word: str, number: int) -> str:
    if not number:
        return word
    return f"{number} errors" if word == "error" and number > 1 else f"{number} {word}"


def ran(document: Document) -> list[Entry]:
    """The tests that this run ran or skipped."""
    return [test for test in document["tests"] if test["outcome"] != "not run" and not test["earlier_run"]]


def failed(document: Document) -> list[Entry]:
    """The tests that failed, errored or were lost."""
    return [test for test in ran(document) if test["outcome"] in FAILURES]


def metrics(test: Entry) -> dict[str, float]:
    """The values of the metrics that this test has."""
    return {name: value for name, value in test.items() if isinstance(value, float) and name != "start_ms"}


def slowest(document: Document) -> list[Entry]:
    """The tests that ran, the slowest first, by the time that is their own."""
    measured = [test for test in ran(document) if test["outcome"] not in ("skipped", "lost")]
    return sorted(measured, key=lambda test: -(test.get("test_duration_ms") or 0.0))


def outcome_line(document: Document) -> str:
    """For example "1 failed, 3 passed in 2.31 s", and how the run ended if not as usual."""
    counts = {**document["counts"], "deselected": document["deselected"]}
    text = f"{counts_text(counts)} in {document['duration_s']:.2f} s"
    pytest = document["pytest"]
    if pytest.get("died"):
        text = f"pytest died ({pytest['died']}): {text}"
    elif pytest.get("stopped"):
        why = visible(" ".join(pytest["stopped_because"].split()))
        text += f" (stopped early: {', '.join(filter(None, (pytest['stopped'], why)))})"
    return f"incomplete: {text}" if document["incomplete"] else text


def problems(document: Document) -> list[str]:
    """Why the results are not to be trusted, or the exit code is not explained by any test."""
    found = list(document["incomplete"]["problems"]) if document["incomplete"] else []
    unexplained = document["pytest"].get("unexplained_exit", "")
    return [*found, unexplained] if unexplained else found


def first_line(text: str) -> str:
    """The first line of a message."""
    return text.partition("\n")[0]


def short_name(nodeid: str, width: int) -> str:
    """The end of a node id, which tells tests apart."""
    name = visible(nodeid)
    return name if len(name) <= width else "…" + name[1 - width :]


def place(entry: Entry) -> str:
    """FILE:LINE of a test, failure or collection error; without a line if it is unknown."""
    file = visible(entry["file"])
    return f"{file}:{entry['line']}" if entry["line"] else file


def alert_line(alert: Entry) -> str:
    """What an alert measured and its limit: "duration 1.24 s, limit 100 ms: mostly in call, waiting".

    A limit of this test only is followed by the rule that set it.
    """
    metric, threshold = alert["metric"], alert["threshold"]
    limit = wording.limit(metric, threshold)
    limit = f", limit {limit}" if threshold else f" {limit}".rstrip()
    limit += f" ({visible(alert['rule'])})" if alert["rule"] else ""
    detail = f": {visible(alert['detail'])}" if alert["detail"] else ""
    return f"{visible(wording.word(metric))} {wording.value(metric, alert['value'])}{limit}{detail}"


def verdict_line(verdict: Entry) -> str:
    """What changed, and how sure that is: "queries 2 -> 61 (exact: the baseline is 2)"."""
    values = wording.change(verdict["metric"], verdict["before"], verdict["after"])
    return f"{visible(wording.word(verdict['metric']))} {values} ({visible(verdict['evidence'])})"


def verdicts(document: Document) -> list[Entry]:
    """The tests that got worse, the certain ones first."""
    found = (document["regressions"] or {"verdicts": ()})["verdicts"]
    return [each for state in ("regressed", "suspected") for each in found if each["state"] == state]
