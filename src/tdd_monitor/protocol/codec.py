"""Lines to bytes and back: NDJSON, strict in what it accepts, compact in what it sends.

Decoding checks every type, so that later code need not. Unknown events and fields are skipped, so that
an older and a newer side can communicate.
"""

import json
import math
import sys
import typing
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import events
from .events import WIRE_NAMES, Event, Line

MAX_LINE_BYTES = 1 << 20
MAX_TEXT_CHARS = 64 * 1024
# Ends a line that the sender cancels: the receiver discards the part it got (ASCII CAN, never in JSON).
CANCELLED = b"\x18\n"

_SHORT_TEXT_CHARS = 1024
_INTEGER_LIMIT = 1 << 63  # the range that SQLite and every JSON reader can represent
_encoder = json.JSONEncoder(ensure_ascii=True, check_circular=False, allow_nan=False, separators=(",", ":"))


def _quickest() -> Callable[[Any], str]:
    """`encode` creates a C object at every call; reusing it saves a quarter of the time of a short line.

    That object is not public API: if it has changed, the public `encode` is used.
    """
    try:
        chunks = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
            None, _encoder.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False
        )

        def dumps(value: Any) -> str:
            return "".join(chunks(value, 0))

        probe = {"text": "\u2603", "list": [1, 2.5, True, None], "empty": {}}
        if dumps(probe) == _encoder.encode(probe):
            return dumps
    except Exception:  # noqa: BLE001 - it may have changed in any way
        pass
    return _encoder.encode


_dumps = _quickest()
# A JSON string of ASCII characters.
quoted: Callable[[str], str] = getattr(json.encoder, "encode_basestring_ascii", _encoder.encode)
_loads = json.JSONDecoder().decode

# Texts for people. All others are identifiers (a truncated node id would be a different test).
_CUT_TEXTS = {"argv", "description", "detail", "leaked_at", "longrepr", "message", "output", "plugins"}
_CUT_TEXTS |= {"reason", "sql", "text", "title", "unmeasured"}


class ProtocolError(ValueError):
    """A line that is not protocol 1: not JSON, or with a field missing, of the wrong type or out of range."""


def shorten(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """Return `text` in about `limit` characters: head and tail, with a note of what was cut."""
    cut = len(text) - limit
    mark = f"\n... [{cut:,} of {len(text):,} characters cut] ...\n"
    if cut <= len(mark):
        return text
    tail = limit // 2
    return text[: limit - tail] + mark + text[len(text) - tail :]


def encode(line: Line) -> bytes:
    """Return one line, with its newline. Texts and lists shrink until it is within `MAX_LINE_BYTES`.

    Raises TypeError or ValueError when a field is not valid JSON.
    """
    fields = _plain(line.event)
    envelope: Dict[str, Any] = {"ev": WIRE_NAMES[type(line.event)], "seq": line.seq, "t_ns": line.t_ns}
    if line.worker:
        envelope["worker"] = line.worker
    envelope.update(fields)
    data = _dumps(envelope)
    limit = MAX_TEXT_CHARS
    while len(data) >= MAX_LINE_BYTES and limit > 1:
        limit //= 4
        data = _dumps(_shrunk(envelope, limit, "unmeasured" in line.event._fields))
    if len(data) >= MAX_LINE_BYTES:
        raise ValueError(f"a {envelope['ev']} event of {len(data):,} bytes cannot be cut to fit a line")
    return data.encode("ascii") + b"\n"


def _plain(record: Any) -> Dict[str, Any]:
    fields = {}
    for name, value in zip(record._fields, record):
        if type(value) is tuple and value:
            fields[name] = [_plain(part) if hasattr(part, "_fields") else part for part in value]
        elif value or name in _ALWAYS_SENT:
            fields[name] = value
    return fields


def _shrunk(envelope: Dict[str, Any], limit: int, reports_loss: bool) -> Dict[str, Any]:
    notes: List[str] = []
    shrunk: Dict[str, Any] = _shrink(envelope, limit, "", notes)
    if reports_loss and notes:
        shrunk["unmeasured"] = [*shrunk.get("unmeasured", ()), *notes]
    return shrunk


def _shrink(value: Any, limit: int, name: str, notes: List[str]) -> Any:
    if isinstance(value, str):
        return shorten(value, limit) if name in _CUT_TEXTS else value
    if isinstance(value, dict):
        return {key: _shrink(part, limit, key, notes) for key, part in value.items()}
    if isinstance(value, list):
        if len(value) > limit:
            notes.append(f"{name}: {len(value) - limit:,} of {len(value):,} are left out")
        return [_shrink(part, limit, name, notes) for part in value[:limit]]
    return value


def decode(data: bytes) -> Optional[Line]:
    """Return the line in `data`, or None when its event is unknown.

    Raises ProtocolError when it is malformed.
    """
    if len(data) > MAX_LINE_BYTES:
        raise ProtocolError(f"a line of {len(data):,} bytes (at most {MAX_LINE_BYTES:,})")
    try:
        raw = _loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from None
    if type(raw) is not dict:
        raise ProtocolError("not a JSON object")
    name = raw.get("ev")
    if type(name) is not str:
        raise ProtocolError("no event name")
    if not _READERS:
        _prepare()
    reader = _READERS.get(name)
    if reader is None:
        return None
    worker = raw.get("worker", "")
    if type(worker) is not str:
        raise ProtocolError("worker is not text")
    return Line(_integer(raw.get("seq", 0)), _integer(raw.get("t_ns", 0)), _text(worker), reader(raw))


def number_of(data: bytes) -> int:
    """Return the `seq` of a line that `decode` has no event for; 0 if it is unreadable."""
    try:
        raw = _loads(data.decode("utf-8"))
        return _integer(raw["seq"])
    except (ValueError, RecursionError, TypeError, KeyError):
        return 0


Reader = Callable[[Any], Any]


def _integer(value: Any) -> int:
    if type(value) is not int or not -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
        raise ProtocolError(f"{value!r:.80} is not an integer in range")
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise ProtocolError(f"{value!r:.80} is not true or false")
    return value


def _number(value: Any) -> float:
    if type(value) is int:
        return float(_integer(value))
    if type(value) is not float or not math.isfinite(value):
        raise ProtocolError(f"{value!r:.80} is not a finite number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ProtocolError(f"{value!r:.80} is not text")
    if not value.isascii():
        # Lone surrogates (undecodable file names) can be neither displayed nor written.
        value = value.encode("utf-8", "backslashreplace").decode("utf-8")
    # Node ids, fixtures and statements repeat: interning saves a third of the memory of 100,000 tests.
    return sys.intern(value) if len(value) < _SHORT_TEXT_CHARS else value


def _many(read: Reader) -> Reader:
    def reader(value: Any) -> Tuple[Any, ...]:
        if type(value) is not list:
            raise ProtocolError(f"{value!r:.80} is not a list")
        return tuple([read(part) for part in value])

    return reader


def _mapping(read: Reader) -> Reader:
    def reader(value: Any) -> Dict[str, Any]:
        if type(value) is not dict:
            raise ProtocolError(f"{value!r:.80} is not an object")
        return {_text(key): read(part) for key, part in value.items()}

    return reader


def _record(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind)
    defaults = kind._field_defaults
    slots = {name: (index, _reader(hints[name])) for index, name in enumerate(kind._fields)}
    absent = [defaults[name] if name in defaults else _empty(hints[name]) for name in kind._fields]
    required = [index for index, default in enumerate(absent) if default is None]

    def reader(value: Any) -> Any:
        if type(value) is not dict:
            raise ProtocolError(f"{value!r:.80} is not an object")
        values = absent.copy()
        for name, part in value.items():
            slot = slots.get(name)
            if slot is not None:
                values[slot[0]] = slot[1](part)
        for index in required:
            if values[index] is None:
                raise ProtocolError(f"{kind._fields[index]} is missing")
        return tuple.__new__(kind, values)

    return reader


def _empty(hint: Any) -> Any:
    """Return the value of an absent field without a default: the sender omits what is zero or empty.

    None for a required text (a node id, a run), without which the rest is meaningless.
    """
    return None if hint is str else (typing.get_origin(hint) or hint)()


_SCALARS: Dict[Any, Reader] = {int: _integer, bool: _boolean, str: _text, float: _number}


def _reader(hint: Any) -> Reader:
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _many(_reader(typing.get_args(hint)[0]))
    if origin is dict:
        return _mapping(_reader(typing.get_args(hint)[1]))
    return _record(hint)


# Texts that are sent even when empty. Their annotations are compared as source text: evaluating them all
# takes 5 ms.
_ALWAYS_SENT = {
    name
    for kind in vars(events).values()
    if hasattr(kind, "_fields")
    for name, hint in getattr(kind, "__annotations__", {}).items()
    if hint == "str" and name not in kind._field_defaults
}
_READERS: Dict[str, Callable[[Any], Event]] = {}


def _prepare() -> None:
    """Built at the first line: the plugin only sends, and its start-up time matters."""
    _READERS.update({name: _record(kind) for kind, name in WIRE_NAMES.items()})
