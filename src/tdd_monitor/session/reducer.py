"""`apply(session, line)`: the only code that changes a Session.

It never raises on a decoded line, whatever the order: lines may be lost, and those of several
workers arrive interleaved.
"""

from collections.abc import Callable
from typing import Any

from tdd_monitor.protocol.events import (
    Collect,
    CollectError,
    CollectFinish,
    FinishedTest,
    FixtureLate,
    FixtureUse,
    Hello,
    Line,
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
    Sample,
    StartedTest,
    WarningRaised,
    WorkerDown,
    WorkerUp,
)

from . import metrics
from .model import HISTORY, Delta, Item, ItemState, Pool, Run, RunState, Session, Worker


def apply(session: Session, line: Line) -> Delta:
    """Take one line in; returns what it changed."""
    session.now_ns = max(session.now_ns, line.t_ns)
    delta = Delta()
    handler = _HANDLERS.get(type(line.event))
    if handler is not None:
        handler(session, line, line.event, delta)
    return delta


def _current_run(session: Session, line: Line, delta: Delta) -> Run:
    """The run that an event belongs to; a stream without a request or a hello still gets one."""
    if not session.runs:
        session.runs.append(Run(1, "", "all", "", line.t_ns))
        delta.run = True
    return session.runs[-1]


def _on_request(session: Session, line: Line, event: RunRequest, delta: Delta) -> None:
    number = len(session.runs) + 1
    # Each run has processes of its own, whose clock may have started anew (a replayed file).
    session.now_ns = line.t_ns
    run = Run(
        number, event.run, event.scope, event.reason, line.t_ns, expected=event.tests, files=event.files
    )
    session.runs.append(run)
    session.workers.clear()
    session.pools.clear()
    session.memory.clear()
    session.servers = ()
    delta.run = delta.samples = True


def _on_hello(session: Session, line: Line, event: Hello, delta: Delta) -> None:
    run = session.run
    if run is None or (run.id != event.run and event.role != "worker"):
        request = RunRequest(event.run, "all")
        _on_request(session, line, request, delta)
        run = session.runs[-1]
    if event.role != "worker":
        run.hello = event
        if run.state is RunState.STARTING:
            run.state = RunState.COLLECTING
    worker = _worker(session, line.worker)
    worker.role, worker.pid, worker.alive = event.role, event.pid, True
    delta.run = True


def _worker(session: Session, id: str) -> Worker:
    worker = session.workers.get(id)
    if worker is None:
        worker = session.workers[id] = Worker(id, role="worker" if id else "single")
    return worker


def _item(session: Session, nodeid: str, delta: Delta) -> Item:
    item = session.items.get(nodeid)
    if item is None:
        item = session.items[nodeid] = Item(nodeid, len(session.items), nodeid.partition("::")[0])
        delta.rows = True
    delta.items.add(nodeid)
    return item


def _on_collect(session: Session, line: Line, event: Collect, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    for test in event.tests:
        item = _item(session, test.nodeid, delta)
        item.file = test.file or item.file
        item.line = test.line or item.line
        if item.seen_run != run.number:
            item.seen_run = run.number
            item.state = ItemState.PENDING
            item.earlier = ()
            run.collected += 1
        if run.scope == "all":
            item.index = run.collected - 1
    run.expected = max(run.expected, run.collected)
    delta.rows = delta.run = True


def _on_collect_finish(session: Session, line: Line, event: CollectFinish, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    run.expected = max(event.count, run.collected)
    run.deselected = event.deselected
    if run.state in (RunState.STARTING, RunState.COLLECTING):
        run.state = RunState.RUNNING
        run.started_ns = line.t_ns
    _forget_deleted(session, run)
    delta.rows = delta.run = True


def _forget_deleted(session: Session, run: Run) -> None:
    """Drop items that are not collected any more, unless their file just failed to be."""
    broken = tuple(error.nodeid.partition("::")[0] for error in run.collect_errors)
    gone = [
        item
        for item in session.items.values()
        if item.seen_run != run.number
        and (run.scope == "all" or item.nodeid.partition("::")[0] in run.files)
        and item.nodeid.partition("::")[0] not in broken
    ]
    for item in gone:
        _uncount(session, item)
        del session.items[item.nodeid]


def _uncount(session: Session, item: Item) -> None:
    if item.outcome == "lost":
        session.counts["lost"] -= 1
    elif item.record is not None:
        session.counts.subtract(metrics.categories(item.record))


def _on_collect_error(session: Session, line: Line, event: CollectError, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    run.collect_errors.append(event)
    run.counts["error"] += 1
    delta.run = True


def _on_start(session: Session, line: Line, event: StartedTest, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    item = _item(session, event.nodeid, delta)
    if item.seen_run != run.number:
        item.seen_run = run.number
        item.earlier = ()
    if item.record_run == run.number and item.record is not None and item.record.attempt >= event.attempt > 0:
        return  # the record overtook its start: nothing is running
    item.state = ItemState.RUNNING
    item.worker, item.attempt, item.started_ns = line.worker, event.attempt, line.t_ns
    worker = _worker(session, line.worker)
    worker.running, worker.running_since_ns = event.nodeid, line.t_ns
    if run.state in (RunState.STARTING, RunState.COLLECTING):
        run.state = RunState.RUNNING
        run.started_ns = run.started_ns or line.t_ns
    delta.run = True


def _on_finish(session: Session, line: Line, event: FinishedTest, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    item = _item(session, event.nodeid, delta)
    first = item.record_run != run.number
    if not first and item.record is not None:
        if item.record.attempt == event.attempt and item.record.outcome != "rerun" and event.attempt:
            return  # told twice
        if item.record.outcome == "rerun":
            item.earlier = (*item.earlier, item.record)
    _uncount(session, item)
    words = metrics.categories(event)
    session.counts.update(words)
    run.counts.update(words)
    if first:
        run.done += 1
        item.earlier = ()
    item.seen_run = item.record_run = run.number
    item.record, item.outcome, item.worker = event, event.outcome, line.worker
    item.attempt, item.own_ns = event.attempt, metrics.own_ns(event)
    item.started_ns = event.started_ns or item.started_ns
    # Another attempt follows a "rerun": until then the item is not done.
    item.state = ItemState.PENDING if event.outcome == "rerun" else ItemState.DONE
    if event.outcome == "passed" and not item.earlier:
        item.history_ns = (*item.history_ns, item.own_ns)[-HISTORY:]
    run.expected = max(run.expected, run.done)
    _keep_shared_fixtures(session, event)
    _account_worker(session, line, event)
    delta.run = True


def _keep_shared_fixtures(session: Session, event: FinishedTest) -> None:
    for use in event.fixtures:
        if metrics.is_shared(use) and not use.cached:
            _merge_shared(session, use, event.nodeid)


def _merge_shared(session: Session, use: FixtureUse, nodeid: str) -> None:
    """Set-up and teardown of one shared fixture come with different tests."""
    key = (use.name, use.scope, use.first_user or nodeid)
    known = session.shared_fixtures.get(key)
    if known is None or use.setup_ns:
        session.shared_fixtures[key] = use
    else:
        session.shared_fixtures[key] = known._replace(teardown_ns=use.teardown_ns)


def _on_fixture_late(session: Session, line: Line, event: FixtureLate, delta: Delta) -> None:
    use = FixtureUse(event.name, event.scope, teardown_ns=event.teardown_ns, first_user=event.first_user)
    _merge_shared(session, use, event.first_user)
    delta.run = True


def _account_worker(session: Session, line: Line, event: FinishedTest) -> None:
    worker = _worker(session, line.worker)
    worker.finished += 1
    if worker.running == event.nodeid:
        worker.running = ""
    worker.drift_bytes += event.drift_bytes
    if event.phases:
        _account_memory(session, worker, line.t_ns, event.phases[-1].rss_bytes)
    worker.peak_rss_bytes = max(worker.peak_rss_bytes, event.peak_rss_bytes)


def _account_memory(session: Session, worker: Worker, t_ns: int, rss_bytes: int) -> None:
    if rss_bytes <= 0:
        return
    worker.rss_bytes = rss_bytes
    worker.first_rss_bytes = worker.first_rss_bytes or rss_bytes
    worker.peak_rss_bytes = max(worker.peak_rss_bytes, rss_bytes)
    total = sum(worker.rss_bytes for worker in session.workers.values() if worker.alive)
    last_ns = session.memory[-1][0] if session.memory else 0
    if session.memory and t_ns - last_ns < 50_000_000:
        session.memory[-1] = (last_ns, max(total, session.memory[-1][1]))
    else:
        session.memory.append((t_ns, total))


def _on_sample(session: Session, line: Line, event: Sample, delta: Delta) -> None:
    _account_memory(session, _worker(session, line.worker), line.t_ns, event.rss_bytes)
    for sample in event.pools:
        pool = session.pools.get((line.worker, sample.name))
        if pool is None:
            pool = session.pools[line.worker, sample.name] = Pool(line.worker, sample)
        pool.latest = sample
        pool.history.append((line.t_ns, sample.in_use, sample.waiting))
        pool.peak_in_use = max(pool.peak_in_use, sample.in_use)
        pool.peak_waiting = max(pool.peak_waiting, sample.waiting)
    session.servers = event.servers or session.servers
    delta.samples = True


def _on_warning(session: Session, line: Line, event: WarningRaised, delta: Delta) -> None:
    session.warnings.append(event)
    delta.run = True


def _on_worker_up(session: Session, line: Line, event: WorkerUp, delta: Delta) -> None:
    _worker(session, event.id).alive = True
    delta.run = True


def _on_worker_down(session: Session, line: Line, event: WorkerDown, delta: Delta) -> None:
    worker = _worker(session, event.id)
    worker.alive, worker.crashed, worker.reason = False, event.crashed, event.reason
    if not event.crashed:
        worker.running = ""
    delta.run = True


def _on_cancel(session: Session, line: Line, event: RunCancel, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    run.cancel_reason, run.cancel_detail = event.reason, event.detail
    if run.active:
        run.state = RunState.CANCELLING
    delta.run = True


def _on_run_finish(session: Session, line: Line, event: RunFinish, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    run.exitstatus, run.dropped = event.exitstatus, event.dropped
    run.reported_counts = dict(event.counts)
    _end(session, run, line, RunState.FINISHED, delta)


def _on_lost(session: Session, line: Line, event: RunLost, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    run.lost, run.exitstatus = event, event.exitcode
    running = [item for item in session.items.values() if item.state is ItemState.RUNNING]
    for item in running:
        _uncount(session, item)
        session.counts["lost"] += 1
        run.counts["lost"] += 1
        item.outcome, item.state, item.record_run = "lost", ItemState.DONE, run.number
    run.lost_nodeids = tuple(item.nodeid for item in running)
    _end(session, run, line, RunState.LOST, delta)


def _end(session: Session, run: Run, line: Line, state: RunState, delta: Delta) -> None:
    run.state, run.finished_ns = state, line.t_ns
    for worker in session.workers.values():
        worker.running = "" if not worker.crashed else worker.running
    for item in session.items.values():
        if item.state in (ItemState.PENDING, ItemState.RUNNING):
            # Not reached: what an earlier run found still stands, marked with that run.
            item.state = ItemState.DONE if item.outcome else ItemState.IDLE
            delta.items.add(item.nodeid)
    delta.run = delta.samples = True


_HANDLERS: dict[type, Callable[[Session, Line, Any, Delta], None]] = {
    RunRequest: _on_request,
    Hello: _on_hello,
    Collect: _on_collect,
    CollectFinish: _on_collect_finish,
    CollectError: _on_collect_error,
    StartedTest: _on_start,
    FinishedTest: _on_finish,
    FixtureLate: _on_fixture_late,
    Sample: _on_sample,
    WarningRaised: _on_warning,
    WorkerUp: _on_worker_up,
    WorkerDown: _on_worker_down,
    RunCancel: _on_cancel,
    RunFinish: _on_run_finish,
    RunLost: _on_lost,
}
