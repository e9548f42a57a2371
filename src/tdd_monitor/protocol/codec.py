"""Lines to bytes and back: NDJSON, strict in what it takes, short in what it sends.

Decoding checks every type, so that nothing behind it has to. Unknown events and unknown fields are
skipped, so that an older and a newer side can talk.
"""

import json
import math
import typing
from typing import Any, Callable, Dict, List, Optional, Tuple

from .events import WIRE_NAMES, Event, Line

MAX_LINE_BYTES = 1 << 20
MAX_TEXT_CHARS = 64 * 1024

_INTEGER_LIMIT = 1 << 63  # what SQLite and every JSON reader can hold
_dumps = json.JSONEncoder(ensure_ascii=True, check_circular=False, separators=(",", ":")).encode


class ProtocolError(ValueError):
    """A line that is not protocol 1: not JSON, a field missing, of a wrong type or out of range."""


def shorten(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """`text` within about `limit` characters: head and tail, with a mark that says what was cut."""
    if len(text) <= limit:
        return text
    tail = limit // 2
    head = limit - tail
    cut = len(text) - limit
    return f"{text[:head]}\n... [{cut:,} of {len(text):,} characters cut] ...\n{text[-tail:]}"


def encode(line: Line) -> bytes:
    """One line, with its newline. Texts shrink until it is within `MAX_LINE_BYTES`.

    Raises TypeError or ValueError when a field holds something that is not JSON.
    """
    fields = _plain(line.event)
    envelope: Dict[str, Any] = {"ev": WIRE_NAMES[type(line.event)], "seq": line.seq, "t_ns": line.t_ns}
    if line.worker:
        envelope["worker"] = line.worker
    envelope.update(fields)
    data = _dumps(envelope)
    limit = MAX_TEXT_CHARS
    while len(data) >= MAX_LINE_BYTES and limit > 64:
        limit //= 4
        data = _dumps(_shrink(envelope, limit))
    if len(data) >= MAX_LINE_BYTES:
        raise ValueError(f"a {envelope['ev']} event of {len(data):,} bytes cannot be cut to fit a line")
    return data.encode("ascii") + b"\n"


def _plain(record: Any) -> Dict[str, Any]:
    fields = {}
    for name, value in zip(record._fields, record):
        if type(value) is tuple and value:
            fields[name] = [_plain(part) if hasattr(part, "_fields") else part for part in value]
        elif value:
            fields[name] = value
    return fields


def _shrink(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return shorten(value, limit)
    if isinstance(value, dict):
        # Identities are never cut: a shortened node id would be another test.
        return {k: v if k in ("nodeid", "first_user") else _shrink(v, limit) for k, v in value.items()}
    if isinstance(value, list):
        return [_shrink(part, limit) for part in value[:limit]]
    return value


def decode(data: bytes) -> Optional[Line]:
    """The line in `data`, or None when its event is unknown here.

    Raises ProtocolError when it is malformed.
    """
    if len(data) > MAX_LINE_BYTES:
        raise ProtocolError(f"a line of {len(data):,} bytes (at most {MAX_LINE_BYTES:,})")
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from None
    if type(raw) is not dict:
        raise ProtocolError("not a JSON object")
    name = raw.get("ev")
    if type(name) is not str:
        raise ProtocolError("no event name")
    reader = _READERS.get(name)
    if reader is None:
        return None
    worker = raw.get("worker", "")
    if type(worker) is not str:
        raise ProtocolError("worker is not text")
    return Line(_integer(raw.get("seq", 0)), _integer(raw.get("t_ns", 0)), _text(worker), reader(raw))


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
        # Lone surrogates (undecodable file names) can be neither shown nor written.
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


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
    fields: List[Tuple[str, Reader, Any, bool]] = [
        (name, _reader(hints[name]), defaults.get(name), name not in defaults) for name in kind._fields
    ]

    # The sender leaves out what is zero or empty, also in required fields; only a required text
    # (a node id, a run) means nothing when it is empty.
    def reader(value: Any) -> Any:
        if type(value) is not dict:
            raise ProtocolError(f"{value!r:.80} is not an object")
        values = []
        for name, read, default, required in fields:
            if name in value:
                values.append(read(value[name]))
            elif required:
                values.append(_EMPTY[read]() if read in _EMPTY else read([]))
            else:
                values.append(default)
        return kind(*values)

    return reader


def _missing() -> Any:
    raise ProtocolError("a required text is missing")


_EMPTY: Dict[Any, Callable[[], Any]] = {_integer: int, _boolean: bool, _text: _missing}
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


_READERS: Dict[str, Callable[[Any], Event]] = {name: _record(kind) for kind, name in WIRE_NAMES.items()}
