"""Costs of processes, pools, servers and shared fixtures: the part of the reducer that is not about items."""

from tdd_monitor.protocol.codec import shorten
from tdd_monitor.protocol.events import FinishedTest, FixtureUse, Printed, Sample, ServerSample

from . import metrics, pool_life, pools
from .growth import Growth
from .model import MAX_WORKERS, DatabaseServer, Delta, Held, Run, Session, SharedFixture, Worker

MAX_PRINTED_CHARS = 128 * 1024
_MEMORY_STEP_NS = 50_000_000  # finer than the series can display


def worker_of(session: Session, id: str, delta: Delta) -> Worker:
    """Return the worker with that id; a new one is alive."""
    worker = session.workers.get(id)
    if worker is None:
        if len(session.workers) >= MAX_WORKERS:
            _forget_worker(session)
        worker = session.workers[id] = Worker(id, role="worker" if id else "single")
        delta.run = True
    return worker


def add_printed(run: Run, event: Printed) -> None:
    """Add to pytest's output above or below the tests; beyond 128 KiB only head and tail are kept."""
    if event.part == "header":
        run.header = shorten(run.header + event.text, MAX_PRINTED_CHARS)
    elif event.part == "summary":
        run.summary = shorten(run.summary + event.text, MAX_PRINTED_CHARS)


def _forget_worker(session: Session) -> None:
    """Forget the worker that has been dead for longest, else the oldest; never the controller."""
    workers = session.workers.values()
    gone = next((worker for worker in workers if worker.id and not worker.alive), None)
    gone = gone or next(worker for worker in workers if worker.id)
    del session.workers[gone.id]
    session.forgotten_workers += 1
    session.forgotten_crashes += gone.crashed


def add_test(session: Session, worker: Worker, record: FinishedTest, t_ns: int, delta: Delta) -> None:
    """Add an attempt's data on its process and on the shared fixtures that it set up or tore down."""
    for use in record.fixtures:
        if metrics.is_shared(use):
            shared = add_shared(session, use, record.nodeid)
            # A repeated attempt is not another test.
            shared.tests += not use.unused and (record.attempt <= 1 or not shared.tests)
    pool_life.add_test(session, worker.id, record)
    worker.finished += 1
    if worker.running == record.nodeid and not worker.crashed:
        worker.running = ""
    worker.drift_bytes += record.drift_bytes
    readings = [phase for phase in record.phases if phase.rss_bytes > 0]
    if readings:
        before_bytes, rss_bytes = readings[0].rss_bytes - readings[0].rss_delta_bytes, readings[-1].rss_bytes
        worker.first_rss_bytes = worker.first_rss_bytes or before_bytes
        if worker.growth is None:
            worker.growth = Growth(before_bytes, before_bytes)
        worker.growth.add(rss_bytes)
        _add_memory(session, worker, t_ns, rss_bytes)
    worker.peak_rss_bytes = max(worker.peak_rss_bytes, record.peak_rss_bytes)
    delta.run = delta.samples = True


def add_shared(session: Session, use: FixtureUse, nodeid: str) -> SharedFixture:
    """Combine setup and teardown of a shared fixture, which arrive with different tests."""
    key = (use.name, use.scope, use.first_user or nodeid, use.baseid)
    run = session.run.number if session.run is not None else 0
    known = session.shared_fixtures.get(key)
    if known is None or known.run != run:
        known = session.shared_fixtures[key] = SharedFixture(use._replace(cached=False), run)
    elif not use.cached or use.teardown_ns:
        known.use = _together(known.use, use)
    return known


def _together(one: FixtureUse, other: FixtureUse) -> FixtureUse:
    return one._replace(
        setup_ns=one.setup_ns + other.setup_ns,
        self_ns=one.self_ns + other.self_ns,
        teardown_ns=one.teardown_ns + other.teardown_ns,
        cpu_ns=one.cpu_ns + other.cpu_ns,
        rss_delta_bytes=one.rss_delta_bytes + other.rss_delta_bytes,
        db=pools.together(one.db, other.db),
    )


def add_sample(session: Session, worker: Worker, sample: Sample, t_ns: int, delta: Delta) -> None:
    """Add a sample of a process and its pools."""
    _add_memory(session, worker, t_ns, sample.rss_bytes)
    pool_life.add_sample(session, worker.id, sample, t_ns)
    for each in sample.held:
        held = session.held.setdefault(each.server, Held())
        held.now[worker.id] = each.connections
        # Workers do not report at the same moment: the total is at least one worker's peak.
        held.peak = max(held.peak, each.peak, sum(held.now.values()))
        if each.server in session.servers:
            _raise_peak(session, session.servers[each.server])
    delta.samples = True


def add_server_sample(session: Session, sample: ServerSample, delta: Delta) -> None:
    """Add a sample of a database server."""
    server = session.servers.get(sample.server)
    if server is None:
        server = session.servers[sample.server] = DatabaseServer(sample)
    server.latest = sample
    server.peak = max(server.peak, sample.connections)
    server.max_connections = sample.max_connections or server.max_connections
    server.was_full |= sample.full
    _raise_peak(session, server)
    delta.samples = True


def _raise_peak(session: Session, server: DatabaseServer) -> None:
    """Raise the peak to the workers' own counts: polled once a second, the server misses short-lived ones."""
    held = session.held.get(server.latest.server)
    if held is not None and server.max_connections:
        server.peak = max(server.peak, held.peak)


def _add_memory(session: Session, worker: Worker, t_ns: int, rss_bytes: int) -> None:
    if rss_bytes <= 0:
        return
    worker.rss_bytes = rss_bytes
    worker.first_rss_bytes = worker.first_rss_bytes or rss_bytes
    worker.peak_rss_bytes = max(worker.peak_rss_bytes, rss_bytes)
    total = sum(worker.rss_bytes for worker in session.workers.values() if worker.alive)
    last_ns = session.memory[-1][0] if session.memory else 0
    if session.memory and t_ns - last_ns < _MEMORY_STEP_NS:
        session.memory[-1] = (last_ns, max(total, session.memory[-1][1]))
    else:
        session.memory.append((t_ns, total))
