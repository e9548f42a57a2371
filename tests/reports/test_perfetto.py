"""The trace, checked against the Trace Event Format."""

import json
from collections import defaultdict
from typing import Any

import jsonschema
import pytest
from support import documents, streams
from support.documents import document_of

from tdd_monitor.reports.perfetto import QUERIES, TESTS, render

NUMBER, WHOLE, TEXT = {"type": "number", "minimum": 0}, {"type": "integer"}, {"type": "string"}


def event(phase: str, **more: Any) -> dict[str, Any]:
    properties = {"ph": {"const": phase}, "name": TEXT, "pid": WHOLE, "args": {"type": "object"}} | more
    return {
        "required": list(properties),
        "properties": {**properties, "cat": TEXT},
        "additionalProperties": False,
    }


SCHEMA = {
    "type": "object",
    "required": ["traceEvents"],
    "properties": {
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "otherData": {"type": "object", "additionalProperties": TEXT},
        "traceEvents": {
            "type": "array",
            "items": {
                "oneOf": [
                    event("X", tid=WHOLE, ts=NUMBER, dur=NUMBER),
                    event("i", tid=WHOLE, ts=NUMBER, s={"enum": ["g", "p", "t"]}),
                    event("C", ts=NUMBER),
                    event("M", tid=WHOLE, args={"required": ["name"], "properties": {"name": TEXT}}),
                ]
            },
        },
    },
}


def trace(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(report))
    jsonschema.validate(found, SCHEMA)
    return found


def nested(found: dict[str, Any]) -> dict[tuple[int, int], list[tuple[int, str]]]:
    """The slices of each thread with their depths; fails where they overlap without nesting."""
    threads: dict[tuple[int, int], list[tuple[int, str]]] = defaultdict(list)
    open_until: dict[tuple[int, int], list[float]] = defaultdict(list)
    for each in found["traceEvents"]:
        if each["ph"] == "X":
            thread, end = (each["pid"], each["tid"]), round(each["ts"] + each["dur"], 3)
            ends = open_until[thread]
            while ends and ends[-1] <= each["ts"]:
                ends.pop()
            assert not ends or end <= ends[-1], each["name"]
            threads[thread].append((len(ends), each["name"]))
            ends.append(end)
    return threads


@pytest.mark.parametrize("run", ["shop", "xdist", "lost", "collection_errors"])
def test_slices_of_a_thread_nest(run: str) -> None:
    lines = streams.xdist(finish=True) if run == "xdist" else getattr(streams, run)()
    nested(trace(document_of(lines)))


def test_a_test_contains_its_phases_and_these_their_fixtures() -> None:
    threads = nested(trace(documents.shop()))
    start = threads[1, TESTS].index((0, "tests/test_catalog.py::test_catalog_is_sorted_by_name"))
    assert threads[1, TESTS][start : start + 6] == [
        (0, "tests/test_catalog.py::test_catalog_is_sorted_by_name"),
        (1, "setup"),
        (2, "connection"),
        (1, "call"),
        (1, "teardown"),
        (2, "connection teardown"),
    ]
    queries = threads[1, QUERIES].index((0, "61 queries"))
    assert [depth for depth, _ in threads[1, QUERIES][queries : queries + 3]] == [0, 1, 1]


def test_each_worker_is_a_process_and_each_attempt_a_slice() -> None:
    found = trace(document_of(streams.xdist(finish=True)))["traceEvents"]
    names = {each["args"]["name"] for each in found if each["name"] == "process_name"}
    assert names == {"worker gw0", "worker gw1", "worker gw2"}
    assert sum(each["name"] == streams.FLAKY for each in found) == 2
    (failed,) = (each for each in found if each["ph"] == "i" and each["name"] == "ERROR")
    assert failed["args"]["message"] == "ConnectionRefusedError: [Errno 111] port 8089"


def test_memory_is_a_counter_and_metrics_are_arguments() -> None:
    found = trace(documents.shop())["traceEvents"]
    assert any(each["ph"] == "C" and each["args"]["rss_mb"] > 60 for each in found)
    slow = next(each for each in found if each["name"] == streams.SLOW_REPORT)
    assert (slow["args"]["queries"], slow["args"]["over threshold"]) == (18, "test_duration_ms")


def test_a_hostile_text_fits_the_format() -> None:
    nested(trace(documents.hostile()))
