"""docs/report.schema.json describes what the JSON report really contains."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support import documents, streams
from support.documents import document_of

from tdd_monitor.protocol.events import Line
from tdd_monitor.reports.json import VERSION, document, render
from tdd_monitor.verdict import Board

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
RUNS: dict[str, Callable[[], list[Line]]] = {
    "shop": streams.shop,
    "xdist": lambda: streams.xdist(finish=True),
    "rerun": streams.rerun_failed,
    "lost": streams.lost,
    "collection errors": streams.collection_errors,
    "exit code": lambda: streams.ended(3),
}


def problems(report: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(report)]


def test_the_schema_is_a_schema_of_this_version() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["version"]["const"] == VERSION


@pytest.mark.parametrize("run", RUNS)
def test_every_kind_of_run_is_as_described(run: str) -> None:
    assert problems(json.loads(render(document_of(RUNS[run]())))) == []


def test_hostile_texts_are_as_described() -> None:
    assert problems(json.loads(render(documents.hostile()))) == []


def test_every_key_is_described() -> None:
    """Unknown keys are allowed, for readers of later minor versions; ours are all in the schema."""
    report = documents.shop()
    assert set(report) == set(SCHEMA["properties"])
    described = set(SCHEMA["$defs"]["test"]["properties"])
    for test in report["tests"]:
        assert all(
            value is None or type(value) is float for key, value in test.items() if key not in described
        )


@pytest.mark.parametrize("wall_ns", [2**63 - 1, -(2**62), 1 << 100])
def test_a_clock_that_is_wrong_is_no_date(wall_ns: int) -> None:
    report = document_of(documents.dated(streams.all_passed(), wall_ns))
    assert problems(report) == []


def test_a_report_without_a_run_is_as_described() -> None:
    assert problems(document(Board(), 4)) == []


def test_what_is_missing_or_of_another_type_is_found() -> None:
    report = documents.shop()
    del report["tests"][0]["nodeid"]
    report["version"] = "1"
    assert len(problems(report)) == 2
