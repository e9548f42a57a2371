"""Hypothesis strategies for protocol lines, derived from the event types themselves."""

import typing
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tdd_monitor.protocol.events import WIRE_NAMES, Event, Line

# For machines that are busy with other tests.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

INTEGERS = st.integers(-(1 << 63) + 1, (1 << 63) - 1)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | INTEGERS.map(float)
# Surrogates do not survive (see the codec); everything else must, control characters included.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: INTEGERS,
    float: NUMBERS,
    str: TEXTS,
    bool: st.booleans(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type: a scalar, a tuple, a mapping or another record."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXTS, values(arguments[1]), max_size=2)
    return records(hint)


def records(kind: Any) -> st.SearchStrategy[Any]:
    """Records of one NamedTuple type, every field at random."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, *[values(hints[name]) for name in kind._fields])


def lines(kind: type[Event]) -> st.SearchStrategy[Line]:
    """Lines that carry an event of this type."""
    return st.builds(Line, INTEGERS, INTEGERS, TEXTS, records(kind))


EVENT_TYPES = sorted(WIRE_NAMES, key=lambda kind: kind.__name__)
ANY_LINES = st.one_of([lines(kind) for kind in EVENT_TYPES])


def required_texts(kind: Any) -> list[str]:
    """Names of the fields without which an event of this type means nothing."""
    hints = typing.get_type_hints(kind)
    return [name for name in kind._fields if hints[name] is str and name not in kind._field_defaults]
