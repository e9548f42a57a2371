"""GitHub annotations: workflow commands, decoded as the runner does."""

import re
from typing import Any

import pytest
from support import documents, streams
from support.documents import document_of

from tdd_monitor.reports.github import render

COMMAND = re.compile(r"::(?P<kind>error|warning) (?P<properties>[^:]*)::(?P<message>.*)")


def decoded(report: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    for line in render(report).splitlines():
        match = COMMAND.fullmatch(line)
        assert match is not None, line
        pairs = dict(part.split("=", 1) for part in match["properties"].split(","))
        values = {"kind": match["kind"], "message": match["message"], **pairs}
        found.append({name: _unescaped(value) for name, value in values.items()})
    return found


def _unescaped(text: str) -> str:
    return re.sub("%(0A|0D|25|2C|3A)", lambda match: chr(int(match[1], 16)), text)


def test_failures_are_errors_at_the_line_that_failed() -> None:
    errors = [each for each in decoded(documents.shop()) if each["kind"] == "error"]
    assert errors[0] == {
        "kind": "error",
        "file": "tests/test_orders.py",
        "line": "61",
        "title": streams.DISCOUNT,
        "message": "AssertionError: assert Decimal('17.3366') == Decimal('17.33')\n"
        "  +  where Decimal('17.3366') = total(42)",
    }
    assert errors[1]["title"] == "tests/test_orders.py::test_order_states (subtest [status=paid])"


def test_the_tenth_warning_counts_the_rest() -> None:
    warnings = [each for each in decoded(documents.shop()) if each["kind"] == "warning"]
    assert (warnings[0]["title"], warnings[0]["line"]) == (f"regressed: {streams.N_PLUS_ONE}", "32")
    assert len(warnings) == 10 and warnings[-1]["message"] == "and 3 more, not shown here"


def test_files_start_at_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", "/")
    assert decoded(document_of(streams.collection_errors()))[0]["file"] == "shop/tests/test_orders.py"
    monkeypatch.setenv("GITHUB_WORKSPACE", "/elsewhere")
    assert decoded(document_of(streams.collection_errors()))[0]["file"] == "tests/test_orders.py"


def test_the_gate_is_an_error_or_a_warning_as_its_level_says() -> None:
    report = document_of(streams.all_passed(), 0)
    check = {"name": "max_test_time_ms", "level": "fail", "status": "failed", "detail": "1,240.0 > 200"}
    report["gate"] = {
        "passed": False,
        "checks": [check, {**check, "level": "warn"}, {**check, "status": "passed"}],
    }
    assert [(each["kind"], each["message"]) for each in decoded(report)] == [
        ("error", "failed: max_test_time_ms 1,240.0 > 200"),
        ("warning", "failed: max_test_time_ms 1,240.0 > 200"),
    ]


def test_a_hostile_name_stays_in_its_own_command() -> None:
    commands = decoded(documents.hostile())
    assert all(set(each) <= {"kind", "file", "line", "title", "message"} for each in commands)
    assert any("::error::owned" in each["message"] for each in commands)


def test_a_run_without_problems_says_nothing() -> None:
    assert render(document_of(streams.all_passed(), 0)) == ""
