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
    CollectSkip,
    FinishedTest,
    FixtureLate,
    FixtureUse,
    Hello,
    Line,
    LinesLost,
    Printed,
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
    Sample,
    ServerSample,
    StartedTest,
    WarningRaised,
    WorkerDown,
    WorkerUp,
)

from . import accounts, deletion, metrics, pool_life
from .model import HISTORY, MAX_RUNS, USAGE_ERROR, Delta, Item, ItemState, Run, RunState, Session


def apply(session: Session, line: Line) -> Delta:
    """Apply one line; return what it changed."""
    session.now_ns = max(session.now_ns, line.t_ns)
    delta = Delta()
    handler = _HANDLERS.get(type(line.event))
    if handler is not None:
        handler(session, line, line.event, delta)
    return delta


def _current_run(session: Session, line: Line, delta: Delta) -> Run:
    """Return the run of an event; a stream without a request or a hello still gets one."""
    if not session.runs:
        session.runs.append(Run(1, "", "all", "", line.t_ns))
        delta.run = True
    return session.runs[-1]


def _on_request(session: Session, line: Line, event: RunRequest, delta: Delta) -> None:
    if session.run is not None and session.run.active:
        _end(session, session.run, line, RunState.LOST, delta)
    number = 1
    if session.run is not None:
        number = session.run.number + 1
        _drop_texts(session.run)
    # Each run has its own processes, whose clock may have restarted (a replayed file).
    session.now_ns = line.t_ns
    run = Run(
        number, event.run, event.scope, event.reason, line.t_ns, expected=event.tests, files=event.files
    )
    session.runs.append(run)
    del session.runs[:-MAX_RUNS]
    session.workers.clear()
    session.forgotten_workers = session.forgotten_crashes = 0
    session.pools.clear()
    session.more_pools.clear()
    session.held.clear()
    session.memory.clear()
    session.servers.clear()
    if event.scope == "all":
        session.warnings.clear()
        _forget_shared_fixtures(session)
    delta.run = delta.samples = True


def _forget_shared_fixtures(session: Session) -> None:
    """Keep those since the last run of all tests: the remaining time is estimated from them."""
    last = next((run.number for run in reversed(session.runs[:-1]) if run.scope == "all"), 0)
    fixtures = session.shared_fixtures
    session.shared_fixtures = {key: life for key, life in fixtures.items() if life.run >= last}


def _drop_texts(run: Run) -> None:
    """Drop an old run's tracebacks: a file that cannot be imported adds some at every save."""
    run.collect_errors, run.collect_skips = [], []
    run.collect_lines.clear()
    run.header = run.summary = ""
    run.lost, run.lost_nodeids = None, ()


def _on_hello(session: Session, line: Line, event: Hello, delta: Delta) -> None:
    run = session.run
    if run is None or (run.id != event.run and event.role != "worker"):
        request = RunRequest(event.run, "all")
        _on_request(session, line, request, delta)
        run = session.runs[-1]
    if event.role != "worker":
        for earlier in session.runs[:-1]:
            earlier.hello = None  # the latest is enough to locate the tests
        run.hello = event
        if event.wall_ns:
            run.requested_wall_ns = event.wall_ns - (line.t_ns - run.requested_ns)
        if run.state is RunState.STARTING:
            run.state = RunState.COLLECTING
    worker = accounts.worker_of(session, line.worker, delta)
    worker.role, worker.pid = event.role, event.pid
    worker.first_rss_bytes = max(0, event.start_rss_bytes) or worker.first_rss_bytes
    delta.run = True


def _item(session: Session, nodeid: str, delta: Delta) -> Item:
    item = session.items.get(nodeid)
    if item is None:
        item = session.items[nodeid] = Item(nodeid, session.next_index, deletion.file_of(nodeid))
        session.next_index += 1
        delta.rows = True
    delta.items.add(nodeid)
    return item


def _on_collect(session: Session, line: Line, event: Collect, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    for test in event.tests:
        item = _item(session, test.nodeid, delta)
        item.file = test.file or item.file
        item.line = test.line or item.line
        item.markers, item.thresholds = test.markers, test.thresholds
        if item.collected_run != run.number:
            item.collected_run = run.number
            if run.scope == "all":
                item.index = run.collected
            run.collected += 1
        # Another worker may have started it before this line arrived.
        if item.seen_run != run.number and run.active:
            item.seen_run = run.number
            item.state = ItemState.PENDING
    run.expected = max(run.expected, run.collected)
    delta.rows = delta.run = True


def _on_collect_finish(session: Session, line: Line, event: CollectFinish, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    run.expected = max(event.count, run.collected)
    run.deselected = event.deselected
    if run.state in (RunState.STARTING, RunState.COLLECTING):
        run.state = RunState.RUNNING
        run.started_ns = line.t_ns
    # Fewer than reported: lines were lost. pytest also reports a count when collection is interrupted.
    run.collected_all = run.collected >= event.count and not run.cancel_reason
    if run.tested:
        deletion.forget_deleted(session, run, delta)
    delta.run = True


def _is_news(run: Run, line: Line, nodeid: str) -> bool:
    """Return False for a repeated line; a file collected as a module and for doctests counts twice."""
    known = len(run.collect_lines)
    run.collect_lines.add((line.worker, line.seq, nodeid))
    return len(run.collect_lines) > known


def _on_collect_error(session: Session, line: Line, event: CollectError, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    run.counts["error"] += _is_news(run, line, event.nodeid)
    if event not in run.collect_errors:
        run.collect_errors.append(event)
    delta.run = True


def _on_collect_skip(session: Session, line: Line, event: CollectSkip, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    run.counts["skipped"] += _is_news(run, line, event.nodeid)
    if event not in run.collect_skips:
        run.collect_skips.append(event)
    delta.run = True


def _on_start(session: Session, line: Line, event: StartedTest, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    item = _item(session, event.nodeid, delta)
    item.seen_run = run.number
    _note_testing(session, run, line, delta)
    known = _record_in(run, item)
    if not run.active or (known is not None and _is_old(item, known, line, event.attempt)):
        return  # the record overtook its start: nothing is running
    item.state = ItemState.RUNNING
    item.worker, item.attempt, item.started_ns = line.worker, event.attempt, line.t_ns
    worker = accounts.worker_of(session, line.worker, delta)
    worker.running, worker.running_since_ns = event.nodeid, line.t_ns


def _note_testing(session: Session, run: Run, line: Line, delta: Delta) -> None:
    """A test ran, so pytest has accepted what it collected."""
    if run.state in (RunState.STARTING, RunState.COLLECTING):
        run.state = RunState.RUNNING
    run.started_ns = run.started_ns or line.t_ns
    run.tested = delta.run = True
    deletion.forget_deleted(session, run, delta)


def _record_in(run: Run, item: Item) -> FinishedTest | None:
    return item.record if item.record_run == run.number else None


def _is_old(item: Item, known: FinishedTest, line: Line, attempt: int) -> bool:
    """Return whether `known` is a later attempt. Each worker counts attempts separately."""
    return 0 < attempt <= known.attempt and line.worker == item.worker


def _same_attempt(one: FinishedTest, other: FinishedTest) -> bool:
    """Return whether both records are of one attempt: an interrupted sender may repeat it, with less data."""
    began = one.started_ns
    return one == other or (0 < began == other.started_ns and one.attempt == other.attempt)


def _on_finish(session: Session, line: Line, event: FinishedTest, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    item = _item(session, event.nodeid, delta)
    known = _record_in(run, item)
    if known is not None and any(_same_attempt(event, other) for other in (known, *item.earlier)):
        return  # received twice
    item.seen_run = run.number
    _note_testing(session, run, line, delta)
    words = metrics.categories(event)
    run.counts.update(words)
    accounts.add_test(session, accounts.worker_of(session, line.worker, delta), event, line.t_ns, delta)
    if known is not None and known.attempt > event.attempt and _is_old(item, known, line, event.attempt):
        item.earlier = tuple(sorted((*item.earlier, event), key=lambda record: record.attempt))
        return  # the controller reported a crash before the worker's last lines arrived
    deletion.uncount(session, item)
    session.counts.update(words)
    if known is None:
        item.earlier = ()
    elif known.outcome == "rerun":
        item.earlier = (*item.earlier, known)
    if event.outcome != "rerun" and (known is None or known.outcome == "rerun"):
        run.done += 1
    item.record_run = run.number
    item.record, item.outcome, item.worker = event, event.outcome, line.worker
    item.attempt, item.own_ns = event.attempt, metrics.own_ns(event)
    item.started_ns = event.started_ns or item.started_ns
    # Another attempt follows a "rerun": the item is not done yet.
    follows = event.outcome == "rerun" and run.active
    item.state = ItemState.PENDING if follows else ItemState.DONE
    if event.outcome == "passed" and not item.flaky:
        item.history_ns = (*item.history_ns, item.own_ns)[-HISTORY:]
    run.expected = max(run.expected, run.done)


def _on_fixture_late(session: Session, line: Line, event: FixtureLate, delta: Delta) -> None:
    use = FixtureUse(
        event.name,
        event.scope,
        teardown_ns=event.teardown_ns,
        cached=True,
        first_user=event.first_user,
        baseid=event.baseid,
        cpu_ns=event.cpu_ns,
        rss_delta_bytes=event.rss_delta_bytes,
        db=event.db,
    )
    accounts.add_shared(session, use, event.first_user)
    delta.run = True


def _on_sample(session: Session, line: Line, event: Sample, delta: Delta) -> None:
    worker = accounts.worker_of(session, line.worker, delta)
    accounts.add_sample(session, worker, event, line.t_ns, delta)


def _on_server_sample(session: Session, line: Line, event: ServerSample, delta: Delta) -> None:
    accounts.add_server_sample(session, event, delta)


def _on_warning(session: Session, line: Line, event: WarningRaised, delta: Delta) -> None:
    session.warnings.append(event)
    delta.run = True


def _on_printed(session: Session, line: Line, event: Printed, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    accounts.add_printed(run, event)
    delta.run = True


def _on_worker_up(session: Session, line: Line, event: WorkerUp, delta: Delta) -> None:
    accounts.worker_of(session, event.id, delta).alive = True
    delta.run = True


def _on_worker_down(session: Session, line: Line, event: WorkerDown, delta: Delta) -> None:
    worker = accounts.worker_of(session, event.id, delta)
    worker.alive, worker.crashed, worker.reason = False, event.crashed, event.reason
    if not event.crashed:
        worker.running = ""
    pool_life.close_all(session, event.id)
    delta.run = delta.samples = True


def _on_cancel(session: Session, line: Line, event: RunCancel, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    if not run.cancel_reason:  # the first is the cause, later ones are pytest's reaction
        run.cancel_reason, run.cancel_detail = event.reason, event.detail
    if run.active:
        run.state = RunState.CANCELLING
    delta.run = True


def _on_run_finish(session: Session, line: Line, event: RunFinish, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    if not run.active:
        return
    run.exitstatus, run.dropped = event.exitstatus, event.dropped
    run.reported_counts = dict(event.counts)
    _end(session, run, line, RunState.FINISHED, delta)


def _on_lines_lost(session: Session, line: Line, event: LinesLost, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    run.missing_lines += event.missing
    run.malformed_lines += event.malformed
    delta.run = True


def _on_lost(session: Session, line: Line, event: RunLost, delta: Delta) -> None:
    run = _current_run(session, line, delta)
    if not run.active:
        return
    run.lost, run.exitstatus = event, event.exitcode
    running = [item for item in session.items.values() if item.state is ItemState.RUNNING]
    for item in running:
        _lose(session, run, item)
        delta.items.add(item.nodeid)
    run.lost_nodeids = tuple(item.nodeid for item in running)
    _end(session, run, line, RunState.LOST, delta)


def _lose(session: Session, run: Run, item: Item) -> None:
    """Mark an item whose process died in it: nothing was measured, and earlier results are outdated."""
    deletion.uncount(session, item)
    session.counts["lost"] += 1
    run.counts["lost"] += 1
    known = _record_in(run, item)
    item.earlier = () if known is None else (*item.earlier, known)
    item.outcome, item.state, item.record_run = "lost", ItemState.DONE, run.number
    item.record, item.own_ns = None, -1


def _end(session: Session, run: Run, line: Line, state: RunState, delta: Delta) -> None:
    run.state, run.finished_ns = state, line.t_ns
    pool_life.close_all(session)
    for worker in session.workers.values():
        worker.running = "" if not worker.crashed else worker.running
    for item in session.items.values():
        if item.state in (ItemState.PENDING, ItemState.RUNNING):
            # Not reached: the result of an earlier run remains, marked with that run.
            item.state = ItemState.DONE if item.outcome else ItemState.IDLE
            delta.items.add(item.nodeid)
    # Without any test, a usage error or an interrupt may have cut collection short.
    if (
        state is RunState.FINISHED
        and run.cancel_reason in ("", "collection")
        and run.exitstatus != USAGE_ERROR
    ):
        deletion.forget_deleted(session, run, delta)
    delta.run = delta.samples = True


_HANDLERS: dict[type, Callable[[Session, Line, Any, Delta], None]] = {
    RunRequest: _on_request,
    Hello: _on_hello,
    Collect: _on_collect,
    CollectFinish: _on_collect_finish,
    CollectError: _on_collect_error,
    CollectSkip: _on_collect_skip,
    StartedTest: _on_start,
    FinishedTest: _on_finish,
    FixtureLate: _on_fixture_late,
    Sample: _on_sample,
    ServerSample: _on_server_sample,
    WarningRaised: _on_warning,
    Printed: _on_printed,
    WorkerUp: _on_worker_up,
    WorkerDown: _on_worker_down,
    RunCancel: _on_cancel,
    RunFinish: _on_run_finish,
    LinesLost: _on_lines_lost,
    RunLost: _on_lost,
}
