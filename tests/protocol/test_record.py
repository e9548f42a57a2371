"""Records behave like `typing.NamedTuple`; only faster to define."""

import copy
import pickle
from typing import Any, NamedTuple

import pytest

from tdd_monitor.protocol.record import Record


class Standard(NamedTuple):
    when: str
    outcome: str
    parts: tuple[int, ...] = ()


class Ours(Record):
    when: str
    outcome: str
    parts: tuple[int, ...] = ()


KINDS = pytest.mark.parametrize("kind", [Standard, Ours])


@KINDS
def test_the_interface_is_that_of_a_named_tuple(kind: Any) -> None:
    record = kind("call", outcome="passed")
    assert record == ("call", "passed", ()) == kind("call", "passed", ())
    assert (record.when, record.parts) == ("call", ())
    assert record._replace(parts=(1,)).parts == (1,)
    assert record._asdict() == {"when": "call", "outcome": "passed", "parts": ()}
    assert kind._fields == ("when", "outcome", "parts")
    assert kind._field_defaults == {"parts": ()}
    assert repr(record) == f"{kind.__name__}(when='call', outcome='passed', parts=())"
    assert copy.copy(record) == pickle.loads(pickle.dumps(record)) == record
    assert not hasattr(record, "__dict__")


@KINDS
@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("call",), {}),
        (("call", "passed"), {"other": 1}),
        (("call", "passed"), {"when": "setup"}),
        (("call", "passed", (), 1), {}),
    ],
    ids=["missing", "unknown", "repeated", "too many"],
)
def test_a_wrong_call_is_rejected(kind: Any, values: tuple[str, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        kind(*values, **named)


@KINDS
def test_a_field_cannot_be_assigned(kind: Any) -> None:
    with pytest.raises(AttributeError):
        kind("call", "passed").when = "setup"
