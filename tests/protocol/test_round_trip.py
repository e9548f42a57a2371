"""Encoding and decoding preserve every event type and every field."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.lines import EVENT_TYPES, UNHURRIED, lines

from tdd_monitor.protocol.codec import MAX_LINE_BYTES, decode, encode
from tdd_monitor.protocol.events import WIRE_NAMES, Event, FinishedTest, Line, PoolUse, StartedTest, Statement


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(UNHURRIED, max_examples=40)
def test_every_event_survives_a_round_trip(kind: type[Event], data: st.DataObject) -> None:
    line = data.draw(lines(kind))
    encoded = encode(line)
    assert decode(encoded) == line
    assert encoded.endswith(b"\n")
    assert encoded.count(b"\n") == 1
    assert len(encoded) <= MAX_LINE_BYTES


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_no_field_hides_behind_the_envelope(kind: type[Event]) -> None:
    assert not {"ev", "seq", "t_ns", "worker"} & set(kind._fields)


def test_wire_names_are_distinct() -> None:
    assert len(set(WIRE_NAMES.values())) == len(WIRE_NAMES)


def test_a_statement_without_text_does_not_lose_the_outcome() -> None:
    empty = FinishedTest("a.py::t", "passed", db=(PoolUse("asyncpg", slowest=(Statement("", 3),)),))
    assert decode(encode(Line(1, 1, "", empty))) == Line(1, 1, "", empty)


def test_empty_fields_are_not_sent() -> None:
    assert json.loads(encode(Line(7, 9, "", StartedTest("a.py::t")))) == {
        "ev": "test_start",
        "seq": 7,
        "t_ns": 9,
        "nodeid": "a.py::t",
    }


def test_a_lone_surrogate_arrives_as_its_escape() -> None:
    line = decode(encode(Line(1, 1, "", StartedTest("caf\udce9.py::t"))))
    assert line is not None
    assert line.event == StartedTest("caf\\udce9.py::t")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_figure_that_json_cannot_represent_is_rejected_by_the_sender(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode(Line(1, 1, "", FinishedTest("a.py::t", "passed", metrics={"ratio": value})))
