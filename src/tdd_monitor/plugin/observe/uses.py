"""Bounds the size of an attempt's record, however many pools it used."""

from typing import Dict, Sequence, Tuple

from tdd_monitor.plugin.observe.open_pools import OTHERS
from tdd_monitor.protocol.events import PoolUse, Statement

MAX_USES = 20
_TOP = 5


def bounded(uses: Sequence[PoolUse]) -> Tuple[PoolUse, ...]:
    """Keep the first MAX_USES and sum the others by name: at most 2 * MAX_USES + 1 in all."""
    more: Dict[Tuple[str, str], PoolUse] = {}
    for use in uses[MAX_USES:]:
        key = (use.engine, use.pool)
        if key not in more and len(more) >= MAX_USES:
            key = (use.engine, OTHERS)
        known = more.get(key)
        more[key] = use._replace(pool=key[1], id=0, pools=1) if known is None else _sum(known, use)
    return (*uses[:MAX_USES], *more.values())


def _sum(one: PoolUse, other: PoolUse) -> PoolUse:
    return one._replace(
        acquires=one.acquires + other.acquires,
        acquire_ns=one.acquire_ns + other.acquire_ns,
        acquire_max_ns=max(one.acquire_max_ns, other.acquire_max_ns),
        waits=one.waits + other.waits,
        peak=max(one.peak, other.peak),
        leaked=one.leaked + other.leaked,
        leaked_at=(*one.leaked_at, *other.leaked_at)[:_TOP],
        queries=one.queries + other.queries,
        query_ns=one.query_ns + other.query_ns,
        ddl=one.ddl + other.ddl,
        ddl_ns=one.ddl_ns + other.ddl_ns,
        ddl_max_ns=max(one.ddl_max_ns, other.ddl_max_ns),
        slowest=_top(one.slowest + other.slowest, by="total_ns"),
        repeated=_top(one.repeated + other.repeated, by="count"),
        pools=one.pools + 1,
    )


def _top(found: Tuple[Statement, ...], by: str) -> Tuple[Statement, ...]:
    sums: Dict[str, Statement] = {}
    for statement in found:
        known = sums.get(statement.sql, Statement(statement.sql, 0))
        sums[statement.sql] = Statement(
            statement.sql, known.count + statement.count, known.total_ns + statement.total_ns
        )
    ordered = sorted(sums.values(), key=lambda statement: int(getattr(statement, by)), reverse=True)
    return tuple(ordered[:_TOP])
