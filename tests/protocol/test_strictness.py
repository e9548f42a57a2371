"""Whatever arrives on the socket, decoding gives a line, nothing, or a ProtocolError."""

import json
import math
import sys
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.lines import EVENT_TYPES, INTEGERS, TEXTS, UNHURRIED, records, required_texts

from tdd_monitor.protocol.codec import MAX_LINE_BYTES, ProtocolError, decode, encode
from tdd_monitor.protocol.events import (
    WIRE_NAMES,
    Collect,
    CollectedTest,
    Event,
    FinishedTest,
    Line,
    RunFinish,
    StartedTest,
    WorkerDown,
)

JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXTS, children, max_size=3),
    max_leaves=8,
)
FIELD_NAMES = sorted(
    {name for kind in EVENT_TYPES for name in typing.get_type_hints(kind)} | {"seq", "t_ns", "worker"}
)


def line(**fields: Any) -> bytes:
    return json.dumps({"seq": 1, "t_ns": 2, **fields}).encode()


@given(st.binary(max_size=200))
@example(b"\xff\xfe{}")
@example('{"ev":"test_start","nodeid":"é"}'.encode("latin-1"))
@example('{"ev":"test_start","nodeid":"a"}'.encode("utf-16"))
@example(b'{"ev":"test_start","nodeid":"\xed\xa0\x80"}')
@example(b"\xef\xbb\xbf{}")
@settings(UNHURRIED, max_examples=100)
def test_bytes_that_are_not_an_event_are_rejected(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(data)


@given(
    st.fixed_dictionaries({"ev": st.sampled_from(sorted(WIRE_NAMES.values()))}),
    st.dictionaries(st.sampled_from(FIELD_NAMES), JSON, max_size=6),
)
@settings(UNHURRIED, max_examples=150)
def test_any_object_is_a_complete_line_or_rejected(name: dict[str, Any], fields: dict[str, Any]) -> None:
    try:
        decoded = decode(json.dumps({**fields, **name}).encode())
    except ProtocolError:
        return
    assert decoded is not None
    assert decode(encode(decoded)) == decoded


Wrap = Callable[[dict[str, Any]], dict[str, Any]]


def _places(kind: Any, wrap: Wrap) -> Iterator[tuple[Any, Wrap]]:
    """This record type and those within it, each with a function that puts its fields into an event."""
    yield kind, wrap
    for name, hint in typing.get_type_hints(kind).items():
        if typing.get_origin(hint) is tuple and hasattr(typing.get_args(hint)[0], "_fields"):
            yield from _places(typing.get_args(hint)[0], _inside(kind, name, wrap))


def _inside(kind: Any, name: str, wrap: Wrap) -> Wrap:
    return lambda part: wrap({**dict.fromkeys(required_texts(kind), "x"), name: [part]})


def _event(kind: type[Event]) -> Wrap:
    return lambda fields: {"ev": WIRE_NAMES[kind], **fields}


PLACES = [place for kind in EVENT_TYPES for place in _places(kind, _event(kind))]
WRONG = [None, "1", 1.5, True, [1], {"a": "1"}, math.nan, math.inf, 1 << 63, -(1 << 63)]


@pytest.mark.parametrize(("kind", "wrap"), PLACES, ids=lambda part: getattr(part, "__name__", ""))
def test_a_field_of_a_wrong_type_is_rejected(kind: Any, wrap: Wrap) -> None:
    whole = dict.fromkeys(required_texts(kind), "x")
    assert decode(line(**wrap(whole))) is not None
    for name, hint in typing.get_type_hints(kind).items():
        for value in WRONG:
            if type(value) is not hint:
                with pytest.raises(ProtocolError):
                    decode(line(**wrap({**whole, name: value})))


@pytest.mark.parametrize(("kind", "wrap"), PLACES, ids=lambda part: getattr(part, "__name__", ""))
def test_a_missing_required_text_is_rejected(kind: Any, wrap: Wrap) -> None:
    for missing in required_texts(kind):
        whole = dict.fromkeys(required_texts(kind), "x")
        del whole[missing]
        with pytest.raises(ProtocolError, match=f"{missing} is missing"):
            decode(line(**wrap(whole)))


@pytest.mark.parametrize("envelope", [{"seq": True}, {"t_ns": "2"}, {"worker": 1}, {"seq": 1 << 63}])
def test_a_wrong_envelope_is_rejected(envelope: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        decode(line(ev="run_finish", **envelope))


@pytest.mark.parametrize(
    "metrics", [{"a": math.nan}, {"a": math.inf}, {"a": True}, {"a": 1 << 64}, {"a": "1"}]
)
def test_a_metric_that_is_not_a_finite_number_is_rejected(metrics: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        decode(line(ev="test", nodeid="a", outcome="passed", metrics=metrics))


def test_an_overflowing_number_is_rejected() -> None:
    with pytest.raises(ProtocolError):
        decode(b'{"ev":"test","nodeid":"a","outcome":"passed","metrics":{"m":1e999}}')


@pytest.mark.parametrize(
    "data", [b"[]", b"1", b"null", b'"ev"', b"{}", b'{"ev":1}', b"", b"{", b'{"ev":"x"}}']
)
def test_anything_but_a_named_object_is_rejected(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(data)


@pytest.mark.parametrize("depth", [50, 300, 400, 490, 800, 950, 990, 5_000, 100_000])
@pytest.mark.parametrize("field", ["nodeid", "attempt", "unknown"])
def test_deep_nesting_never_exhausts_the_stack(depth: int, field: str) -> None:
    data = b'{"ev":"test_start","%s":%s%s}' % (field.encode(), b"[" * depth, b"]" * depth)
    with pytest.raises(ProtocolError):
        decode(data)


@pytest.mark.skipif(not hasattr(sys, "get_int_max_str_digits"), reason="integers have no limit here")
def test_an_integer_of_a_million_digits_is_rejected() -> None:
    with pytest.raises(ProtocolError):
        decode(b'{"ev":"run_finish","exitstatus":%s}' % (b"9" * 1_000_000))


def test_a_line_over_the_limit_is_rejected_unread() -> None:
    padding = b" " * MAX_LINE_BYTES
    with pytest.raises(ProtocolError, match="1,048,"):
        decode(line(ev="run_finish") + padding)


def test_the_error_shows_only_the_beginning_of_a_long_value() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(line(ev="test_start", nodeid="a", attempt="x" * 100_000))
    assert len(str(caught.value)) < 200


def test_an_unknown_event_is_skipped() -> None:
    assert decode(line(ev="of_tomorrow", nodeid=3)) is None


@given(records(FinishedTest), st.dictionaries(TEXTS.map("new_".__add__), JSON, max_size=3))
@settings(UNHURRIED, max_examples=50)
def test_unknown_fields_are_skipped(event: FinishedTest, unknown: dict[str, Any]) -> None:
    raw = json.loads(encode(Line(1, 2, "", event)))
    for part in (raw, *raw.get("phases", []), *raw.get("fixtures", [])):
        part.update(unknown)
    assert decode(json.dumps(raw).encode()) == Line(1, 2, "", event)


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (line(ev="run_finish"), RunFinish(0)),
        (line(ev="worker_down", id="gw0", crashed=False), WorkerDown("gw0")),
        (line(ev="collect"), Collect(())),
        (line(ev="collect", tests=[{"nodeid": "a"}]), Collect((CollectedTest("a"),))),
        (line(ev="test_start", nodeid="a", worker=""), StartedTest("a")),
    ],
)
def test_absent_fields_have_their_defaults(data: bytes, event: Event) -> None:
    assert decode(data) == Line(1, 2, "", event)
