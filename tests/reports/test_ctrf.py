"""CTRF, checked against what its specification 1.0.0 allows."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from support import documents, streams
from support.documents import document_of

from tdd_monitor.protocol.events import Line
from tdd_monitor.reports.ctrf import STATUSES, render

Schema = dict[str, Any]
TEXT, WHOLE, ANY = {"type": "string"}, {"type": "integer"}, {"type": "object"}
NAME: Schema = {"type": "string", "minLength": 1}
STATUS: Schema = {"enum": list(STATUSES)}
TEXTS: Schema = {"type": "array", "items": TEXT}


def exactly(required: Schema, **optional: Schema) -> Schema:
    """An object with these keys only."""
    properties = {**required, **optional}
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


OUTPUT = {"message": TEXT, "trace": TEXT, "stdout": TEXTS, "stderr": TEXTS}
TIMES = {"start": WHOLE, "stop": WHOLE}
ATTEMPT = exactly(
    {"attempt": {"type": "integer", "minimum": 1}, "status": STATUS}, duration=WHOLE, **OUTPUT, **TIMES
)
TEST = exactly(
    {"name": NAME, "status": STATUS, "duration": WHOLE},
    id={"type": "string", "format": "uuid"},
    suite={"type": "array", "minItems": 1, "items": TEXT},
    rawStatus=TEXT,
    filePath=TEXT,
    line=WHOLE,
    threadId=TEXT,
    flaky={"type": "boolean"},
    retries=WHOLE,
    retryAttempts={"type": "array", "items": ATTEMPT},
    extra=ANY,
    **OUTPUT,
    **TIMES,
)
SUMMARY = exactly(
    dict.fromkeys(("tests", *STATUSES, "start", "stop"), WHOLE), duration=WHOLE, flaky=WHOLE, extra=ANY
)
RESULTS = exactly(
    {
        "tool": exactly({"name": NAME}, version=TEXT, extra=ANY),
        "summary": SUMMARY,
        "tests": {"type": "array", "items": TEST},
    },
    extra=ANY,
)
SCHEMA = exactly(
    {
        "reportFormat": {"const": "CTRF"},
        "specVersion": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        "results": RESULTS,
    },
    generatedBy=TEXT,
)
REPORTS: dict[str, Callable[[], dict[str, Any]]] = {
    "shop": documents.shop,
    "hostile": documents.hostile,
    "lost": lambda: document_of(streams.lost()),
    "xdist": lambda: document_of(streams.xdist(finish=True)),
    "collection errors": lambda: document_of(streams.collection_errors()),
}


@pytest.mark.parametrize("name", REPORTS)
def test_the_report_is_as_specified(name: str) -> None:
    report = json.loads(render(REPORTS[name]()))
    jsonschema.validate(report, SCHEMA, format_checker=jsonschema.FormatChecker())
    summary = report["results"]["summary"]
    assert summary["tests"] == len(report["results"]["tests"]) == sum(summary[status] for status in STATUSES)


def by_name(report: dict[str, Any]) -> dict[str, Any]:
    return {test["name"]: test for test in json.loads(render(report))["results"]["tests"]}


def test_failures_and_earlier_attempts_have_their_texts() -> None:
    found = by_name(documents.shop())
    failed = found["test_discount_is_rounded_to_cents"]
    assert (failed["status"], failed["suite"], failed["trace"]) == (
        "failed",
        ["tests/test_orders.py"],
        streams.TRACEBACK,
    )
    assert failed["stdout"][0] == "total(42) -> 17.3366" and failed["extra"]["metrics"]["queries"] == 5
    assert "start_ms" not in failed["extra"]["metrics"]
    flaky = found["test_payment_callback_arrives"]
    assert (flaky["status"], flaky["flaky"], flaky["retries"]) == ("passed", True, 1)
    assert flaky["retryAttempts"][0]["message"] == "TimeoutError: no callback within 30 ms"
    assert found["test_password_reset_expires"]["rawStatus"] == "xfailed"


def test_times_count_from_the_epoch() -> None:
    lines = documents.dated(streams.shop(), 1_700_000_000_000_000_000)
    report = json.loads(render(document_of(lines)))["results"]
    assert report["summary"]["start"] == 1_700_000_000_000 - 310
    assert report["summary"]["start"] < report["tests"][0]["start"] < report["summary"]["stop"]


def test_tests_that_were_not_reached_are_pending() -> None:
    statuses = [test["status"] for test in by_name(document_of(streams.lost())).values()]
    assert statuses.count("pending") == 4


def test_a_rerun_reports_only_its_own_tests() -> None:
    lines: list[Line] = streams.rerun_failed()
    assert len([t for t in by_name(document_of(lines)).values() if t["status"] != "pending"]) == 1
