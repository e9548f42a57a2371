"""CTRF, the Common Test Report Format (ctrf.io, specification 1.0.0): JSON that many CI tools read."""

import json
import uuid
from datetime import datetime
from typing import Any

from tdd_monitor.terminal import plain_lines, visible

from . import results
from .junit import names
from .results import Document, Entry

SPECIFICATION = "1.0.0"
STATUSES = ("passed", "failed", "skipped", "pending", "other")
_STATUS = {
    "passed": "passed",
    "xpassed": "passed",
    "failed": "failed",
    "error": "failed",
    "lost": "failed",
    "rerun": "failed",
    "skipped": "skipped",
    "xfailed": "other",
    "not run": "pending",
}


def render(document: Document) -> str:
    """The report; times since the epoch are 0 where the recording has no date."""
    start_ms = _epoch_ms(document)
    current = [test for test in document["tests"] if not test["earlier_run"]]
    tests = [_collect_error(error) for error in document["collect_errors"]]
    tests += [_collect_skip(skip) for skip in document["collect_skips"]]
    tests += [_test(test, start_ms) for test in current]
    duration_ms = round(document["duration_s"] * 1000)
    summary: dict[str, Any] = {"tests": len(tests)}
    summary |= {status: sum(test["status"] == status for test in tests) for status in STATUSES}
    summary |= {"flaky": sum(test.get("flaky", False) for test in tests)}
    summary |= {"start": start_ms, "stop": start_ms + duration_ms, "duration": duration_ms}
    environment = document["environment"]
    tool = {"name": "pytest", "version": environment["pytest"], "extra": {"python": environment["python"]}}
    extra = {
        "exitcode": document["exitcode"],
        "alerts": _plain(document["alerts"]),
        "gate": _plain(document["gate"]),
    }
    report = {
        "reportFormat": "CTRF",
        "specVersion": SPECIFICATION,
        "generatedBy": document["generator"],
        "results": {"tool": tool, "summary": summary, "tests": tests, "extra": extra},
    }
    return json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _epoch_ms(document: Document) -> int:
    started = document["started_at"]
    return round(datetime.fromisoformat(started).timestamp() * 1000) if started else 0


def _test(test: Entry, start_ms: int) -> dict[str, Any]:
    nodeid, outcome = visible(test["nodeid"]), test["outcome"]
    duration_ms = round(test.get("total_duration_ms") or 0)
    entry = _entry(test["nodeid"], _STATUS.get(outcome, "other"), duration_ms)
    entry |= {
        "rawStatus": outcome,
        "filePath": visible(test["file"]),
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, nodeid)),
    }
    if test["line"]:
        entry["line"] = test["line"]
    if start_ms and test["start_ms"] is not None:
        entry["start"] = start_ms + round(test["start_ms"])
        entry["stop"] = entry["start"] + duration_ms
    if test["worker"]:
        entry["threadId"] = visible(test["worker"])
    entry |= _failure(test)
    if test["reason"]:
        entry["message"] = _text(test["reason"])
    if test["earlier_attempts"]:
        entry["flaky"] = test["flaky"]
        entry["retries"] = len(test["earlier_attempts"])
        entry["retryAttempts"] = [
            _attempt(number, each) for number, each in enumerate(test["earlier_attempts"], 1)
        ]
    metrics = {visible(name): value for name, value in results.metrics(test).items()}
    entry["extra"] = {"metrics": metrics, "overThreshold": _plain(test["over_threshold"])}
    return entry


def _entry(nodeid: str, status: str, duration_ms: int = 0) -> dict[str, Any]:
    classname, name = names(nodeid)
    suite = [part for part in visible(nodeid.partition("[")[0]).split("::")[:-1] if part]
    entry: dict[str, Any] = {"name": name or classname, "status": status, "duration": duration_ms}
    return entry | ({"suite": suite} if suite else {})


def _failure(attempt: Entry) -> dict[str, Any]:
    failures = attempt["failures"]
    if not failures:
        return {}
    found: dict[str, Any] = {"message": _text(failures[0]["message"])}
    trace = "\n\n".join(failure["longrepr"] for failure in failures if failure["longrepr"])
    if trace:
        found["trace"] = _text(trace)
    outputs = [output for failure in failures for output in failure["output"]]
    for stream in ("stdout", "stderr"):
        lines = [
            line for each in outputs if stream in each["title"] for line in _text(each["text"]).split("\n")
        ]
        if lines:
            found[stream] = lines
    return found


def _attempt(number: int, attempt: Entry) -> dict[str, Any]:
    status = _STATUS.get(attempt["outcome"], "other")
    return {"attempt": number, "status": status, "duration": round(attempt["duration_ms"])} | _failure(
        attempt
    )


def _collect_error(error: Entry) -> dict[str, Any]:
    found = {
        "message": _text(error["message"]),
        "trace": _text(error["longrepr"]),
        "rawStatus": "collection error",
    }
    return _entry(error["nodeid"], "failed") | found


def _collect_skip(skip: Entry) -> dict[str, Any]:
    return _entry(skip["nodeid"], "skipped") | {"message": _text(skip["reason"]), "rawStatus": "skipped"}


def _text(value: str) -> str:
    return "\n".join(plain_lines(value))


def _plain(value: Any) -> Any:
    """A part of the document whose texts cannot surprise a reader."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
