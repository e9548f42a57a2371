"""Connection pools: open ones individually, closed ones summed up by name."""

from itertools import chain

from tdd_monitor.protocol.events import FinishedTest, PoolSample, Sample

from .model import Pool, PoolKey, Session

MAX_POOLS = 500  # kept individually
MAX_CLOSED = 20  # closed ones among them; the others are summed up
MAX_TOTALS = 50
OTHERS = "other pools"
_TOTAL = -1  # instead of a pool number


def add_sample(session: Session, worker: str, sample: Sample, t_ns: int) -> None:
    """Add a sample of the pools of one process."""
    unlisted = 0
    for latest in sample.pools:
        if latest.closed and (latest.pools > 1 or not latest.id):
            _add_up(session, worker, latest)
        elif not _update(session, worker, latest, t_ns):
            unlisted += 1
    session.more_pools[worker] = max(0, sample.more_pools) + unlisted


def add_test(session: Session, worker: str, record: FinishedTest) -> None:
    """Add an attempt's use of its pools, counted at every acquisition: samples may miss peaks."""
    for use in chain(record.db, *(fixture.db for fixture in record.fixtures)):
        pool = session.pools.get((worker, use.id, use.pool))
        if use.id and pool is not None:
            pool.peak_in_use = max(pool.peak_in_use, use.peak)


def close_all(session: Session, worker: str | None = None) -> None:
    """Close the pools and connections of all processes (or of one) that have ended."""
    for pool in session.pools.values():
        pool.closed |= worker is None or pool.worker == worker
    for held in session.held.values():
        held.now.pop(worker or "", None)


def labels(session: Session) -> dict[PoolKey, str]:
    """Return a label per pool: pools of one process with the same name are numbered from the second on."""
    names, seen = {}, dict[tuple[str, str], int]()
    for key in sorted(session.pools):
        worker, number, _ = key
        name = session.pools[key].latest.name
        if number == _TOTAL:
            names[key] = name
            continue
        nth = seen[worker, name] = seen.get((worker, name), 0) + 1
        names[key] = name if nth == 1 else f"{name} #{nth}"
    return names


def _update(session: Session, worker: str, latest: PoolSample, t_ns: int) -> bool:
    key = (worker, latest.id, latest.name)
    pool = session.pools.get(key)
    if pool is None:
        if len(session.pools) >= MAX_POOLS and not _fold_oldest(session):
            return False
        pool = session.pools[key] = Pool(worker, latest)
    elif pool.closed:
        return True  # a late line: a closed pool stays closed
    pool.latest, pool.closed = latest, latest.closed
    pool.history.append((t_ns, latest.in_use, latest.waiting))
    pool.peak_in_use = max(pool.peak_in_use, latest.peak, latest.in_use)
    pool.peak_waiting = max(pool.peak_waiting, latest.peak_waiting, latest.waiting)
    if pool.closed and len(_closed(session)) > MAX_CLOSED:
        _fold_oldest(session)
    return True


def _closed(session: Session) -> list[PoolKey]:
    return [key for key, pool in session.pools.items() if pool.closed and key[1] != _TOTAL]


def _fold_oldest(session: Session) -> bool:
    for key in _closed(session)[:1]:
        pool = session.pools.pop(key)
        last = pool.latest._replace(peak=pool.peak_in_use, peak_waiting=pool.peak_waiting, pools=1)
        _add_up(session, pool.worker, last)
        return True
    return False


def _add_up(session: Session, worker: str, closed: PoolSample) -> None:
    key = (worker, _TOTAL, f"{closed.name} {closed.engine}")
    totals = sum(1 for _, number, _ in session.pools if number == _TOTAL)
    if key not in session.pools and totals >= MAX_TOTALS:
        key, closed = ("", _TOTAL, OTHERS), closed._replace(name=OTHERS, engine="")
    total = session.pools.get(key)
    if total is None:
        total = session.pools[key] = Pool(key[0], closed._replace(pools=0), closed=True)
    # Peak and size are of the same pool.
    fullest = max(total.latest, closed, key=_fullness)
    total.latest = fullest._replace(pools=total.latest.pools + max(1, closed.pools), id=0)
    total.peak_in_use = fullest.peak
    total.peak_waiting = max(total.peak_waiting, closed.peak_waiting)


def _fullness(sample: PoolSample) -> tuple[float, int]:
    return (sample.peak / sample.max_size if sample.max_size > 0 else 0.0, sample.peak)
