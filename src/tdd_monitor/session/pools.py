"""Sums up the use of the same pools by several attempts or fixtures. Pure functions."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from tdd_monitor.protocol.events import PoolUse, Statement

_TOP = 5  # statements of each kind, as many as the plugin reports
_WORST = frozenset({"acquire_max_ns", "peak", "ddl_max_ns"})
_SAME = frozenset({"engine", "pool", "id"})


def together(*parts: tuple[PoolUse, ...]) -> tuple[PoolUse, ...]:
    """Return one entry per pool: sums, the highest of maxima, statements merged by text."""
    filled = [part for part in parts if part]
    if len(filled) <= 1:
        return filled[0] if filled else ()
    found: dict[tuple[str, int, str], PoolUse] = {}
    for use in chain.from_iterable(filled):
        key = (use.engine, use.id, use.pool)
        found[key] = _sum(found[key], use) if key in found else use
    return tuple(found.values())


def _sum(one: PoolUse, other: PoolUse) -> PoolUse:
    values: dict[str, Any] = {
        name: max(mine, theirs) if name in _WORST else mine + theirs
        for name, mine, theirs in _pairs(one, other)
        if name not in _SAME
    }
    values["slowest"] = _statements(values["slowest"], "total_ns")
    values["repeated"] = _statements(values["repeated"], "count")
    return one._replace(**values)


def _pairs(one: PoolUse, other: PoolUse) -> Iterable[tuple[str, Any, Any]]:
    return zip(one._fields, one, other, strict=True)


def _statements(statements: tuple[Statement, ...], order: str) -> tuple[Statement, ...]:
    found: dict[str, Statement] = {}
    for sql, count, total_ns in statements:
        known = found.get(sql, Statement(sql, 0))
        found[sql] = Statement(sql, known.count + count, known.total_ns + total_ns)
    return tuple(sorted(found.values(), key=lambda each: -getattr(each, order))[:_TOP])
