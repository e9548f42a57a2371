"""The events of protocol 1, one type each.

Integers are nanoseconds (`_ns`) and bytes; `t_ns` and `started_ns` are readings of
`time.monotonic_ns()` in the process that sent them. A field that is absent on the wire has its
default, so every default is empty or zero. Tuples because slotted dataclasses need Python 3.10 and
frozen ones take 2.6 times as long to build (which matters at 20,000 events per second).
"""

from __future__ import annotations

from typing import Dict, Tuple, Union

from .marks import OwnThreshold
from .record import Record

PROTOCOL = 1


class Hello(Record):
    """First line of a connection: identifies the sender and the run."""

    proto: int
    token: str
    run: str
    pid: int
    role: str  # single, controller, worker
    python: str = ""
    pytest: str = ""
    rootdir: str = ""
    memory_mode: str = ""  # rss, tracemalloc, gc
    unmeasured: Tuple[str, ...] = ()  # what this interpreter cannot measure, as text for the user
    start_rss_bytes: int = 0  # of the process, before any conftest was imported
    plugins: Tuple[str, ...] = ()  # names of the installed distributions with pytest plugins
    traced: bool = False  # coverage is measured, which slows the tests down
    wall_ns: int = 0  # time since the epoch; everything else is monotonic


class CollectedTest(Record):
    """A collected item; `line` counts from 1, 0 is unknown. `file` is relative to rootdir.

    `markers` are the names of its markers, and of those of its class and module, without pytest's own.
    """

    nodeid: str
    file: str = ""
    line: int = 0
    markers: Tuple[str, ...] = ()
    thresholds: Tuple[OwnThreshold, ...] = ()


class Collect(Record):
    """Collected items, in chunks, in the order in which pytest will run them."""

    tests: Tuple[CollectedTest, ...]


class CollectFinish(Record):
    """End of collection: how many items are left to run, how many were deselected."""

    count: int  # type: ignore[assignment]  # the name on the wire; tuple.count is not used
    deselected: int = 0


class CollectError(Record):
    """A file or node that could not be collected."""

    nodeid: str
    longrepr: str = ""


class CollectSkip(Record):
    """A file or node that skipped itself during collection; pytest counts it as 1 skipped."""

    nodeid: str
    longrepr: str = ""


class StartedTest(Record):
    """An attempt at a test begins; attempts count from 1."""

    nodeid: str
    attempt: int = 0


class Section(Record):
    """Captured output of one phase, for instance ("Captured stdout call", text)."""

    title: str = ""
    text: str = ""


class Phase(Record):
    """One phase of an attempt. CPU time is that of the whole process, so threads count.

    `wall_ns` is the whole phase, as pytest reports it; CPU time and memory exclude the shared fixtures that
    it happened to set up or tear down, which took `shared_ns` and have their own records.
    """

    when: str  # setup, call, teardown, or ??? for a crashed worker
    outcome: str  # passed, failed, skipped, xfailed, xpassed, rerun
    wall_ns: int = 0
    cpu_ns: int = 0
    rss_bytes: int = 0  # at the end of the phase
    rss_delta_bytes: int = 0
    longrepr: str = ""
    sections: Tuple[Section, ...] = ()
    python_delta_bytes: int = 0  # memory held by Python objects: --memory tracemalloc and gc only
    python_peak_bytes: int = 0  # the peak, relative to the start of the phase: tracemalloc only
    shared_ns: int = 0


class FixtureUse(Record):
    """The cost of one fixture within one attempt.

    `setup_ns` includes fixtures requested dynamically inside it, `self_ns` does not.
    `start_ns` and `teardown_start_ns` are offsets from the start of the attempt.
    """

    name: str
    scope: str
    setup_ns: int = 0
    self_ns: int = 0
    teardown_ns: int = 0
    start_ns: int = 0
    teardown_start_ns: int = 0
    cached: bool = False
    first_user: str = ""  # node id of the test that it was set up for
    baseid: str = ""  # where it is defined
    unused: bool = False  # the attempt only tore it down
    # For shared fixtures only, setup and teardown together; the work of others belongs to the test.
    cpu_ns: int = 0
    rss_delta_bytes: int = 0
    db: Tuple[PoolUse, ...] = ()


class Statement(Record):
    """SQL with literals folded, with its count and total time in this attempt."""

    sql: str
    count: int  # type: ignore[assignment]
    total_ns: int = 0


class PoolUse(Record):
    """One attempt's use of one pool (or, with the pool name "", outside any pool).

    With `pools` above 1 it represents that many pools of one name, which the attempt opened and closed.
    """

    engine: str  # asyncpg, sqlalchemy, psycopg
    pool: str = ""
    acquires: int = 0
    acquire_ns: int = 0
    acquire_max_ns: int = 0
    waits: int = 0
    peak: int = 0
    leaked: int = 0
    leaked_at: Tuple[str, ...] = ()  # file:line of each acquisition that was not released
    queries: int = 0
    query_ns: int = 0
    ddl: int = 0
    ddl_ns: int = 0
    ddl_max_ns: int = 0
    slowest: Tuple[Statement, ...] = ()
    repeated: Tuple[Statement, ...] = ()
    id: int = 0  # of the pool in its process; names are not unique
    pools: int = 0


class Subtest(Record):
    """One subtest of a test; the parent may pass while a subtest fails."""

    outcome: str
    description: str = ""
    wall_ns: int = 0
    longrepr: str = ""


class FinishedTest(Record):
    """One complete attempt at a test. Outcome "rerun" means that another attempt follows."""

    nodeid: str
    outcome: str  # passed, failed, error, skipped, xfailed, xpassed, rerun
    attempt: int = 0
    started_ns: int = 0
    phases: Tuple[Phase, ...] = ()
    fixtures: Tuple[FixtureUse, ...] = ()
    subtests: Tuple[Subtest, ...] = ()
    db: Tuple[PoolUse, ...] = ()
    metrics: Dict[str, float] = {}
    drift_bytes: int = 0  # growth of the process since the previous test ended, attributed to no test
    peak_rss_bytes: int = 0  # highest RSS of the process so far, if the platform reports it
    unmeasured: Tuple[str, ...] = ()  # figures of this attempt that are unknown, as text for the user
    unwatched: Tuple[str, ...] = ()  # drivers it may have used whose queries are not counted


class FixtureLate(Record):
    """Teardown of a shared fixture that happened after the last test's record."""

    name: str
    scope: str
    teardown_ns: int = 0
    first_user: str = ""
    baseid: str = ""
    cpu_ns: int = 0
    rss_delta_bytes: int = 0
    db: Tuple[PoolUse, ...] = ()


class PoolSample(Record):
    """A pool at one moment; `max_size` 0 means unlimited. Peaks are those of its lifetime so far.

    A closed pool is sent once. With `pools` above 1 it represents that many closed pools of one name.
    """

    name: str
    engine: str
    in_use: int = 0
    idle: int = 0
    size: int = 0
    max_size: int = 0
    waiting: int = 0
    id: int = 0  # of the pool in its process; names are not unique; 0 is unknown
    peak: int = 0
    peak_waiting: int = 0
    closed: bool = False
    pools: int = 0


class HeldConnections(Record):
    """The process's open connections to one server, and their peak."""

    server: str
    connections: int = 0
    peak: int = 0


class Sample(Record):
    """The process at one moment; sent only while something changes."""

    rss_bytes: int = 0
    cpu_ns: int = 0
    pools: Tuple[PoolSample, ...] = ()
    more_pools: int = 0  # open ones that are not in `pools`
    held: Tuple[HeldConnections, ...] = ()


class ServerSeen(Record):
    """The tests connected to a PostgreSQL server; sent once per server and user.

    `url` (libpq's form) contains the password: it is for the monitor only, never shown or stored.
    """

    url: str
    superuser: bool = False  # as reported by the server: connection limits do not apply to it


class ServerSample(Record):
    """Created by the monitor: a database server's own count of client connections (pg_stat_activity)."""

    server: str  # localhost:5432
    connections: int = 0
    max_connections: int = 0
    reason: str = ""  # why it cannot be counted, as text for the user
    full: bool = False  # it rejects connections because all are in use


class WarningRaised(Record):
    """A warning that pytest collected."""

    message: str = ""
    category: str = ""
    nodeid: str = ""
    file: str = ""
    line: int = 0


class Printed(Record):
    """Output of pytest and its plugins around the tests, except what other events report."""

    part: str  # header: lines above the tests; summary: from the end of the session on
    text: str = ""


class WorkerUp(Record):
    """The xdist controller started a worker."""

    id: str


class WorkerDown(Record):
    """A worker ended; `crashed` if it was not asked to."""

    id: str
    crashed: bool = False
    reason: str = ""


class RunCancel(Record):
    """pytest stops early: maxfail, interrupt, collection, timeout, internal or cancelled."""

    reason: str
    detail: str = ""


class RunFinish(Record):
    """pytest's own end. `counts` are those of its summary line, `dropped` lost samples."""

    exitstatus: int
    counts: Dict[str, int] = {}
    dropped: int = 0


class LinesLost(Record):
    """Created by the receiver (the monitor, a controller for its remote workers): lines that were lost.

    `missing` are gaps in a sender's numbers, `malformed` lines that could not be decoded.
    """

    missing: int = 0
    malformed: int = 0


class RunRequest(Record):
    """Created by the monitor: a run was requested. `scope` is all or some; `tests` is a count, 0 unknown."""

    run: str
    scope: str
    reason: str = ""
    tests: int = 0
    files: Tuple[str, ...] = ()  # collected again completely: tests missing from them are deleted


class RunLost(Record):
    """Created by the monitor: the stream ended without `run_finish`."""

    exitcode: int
    signal: str = ""
    output: str = ""


Event = Union[
    Hello,
    Collect,
    CollectFinish,
    CollectError,
    CollectSkip,
    StartedTest,
    FinishedTest,
    FixtureLate,
    Sample,
    ServerSeen,
    ServerSample,
    WarningRaised,
    Printed,
    WorkerUp,
    WorkerDown,
    RunCancel,
    RunFinish,
    LinesLost,
    RunRequest,
    RunLost,
]

WIRE_NAMES = {
    Hello: "hello",
    Collect: "collect",
    CollectFinish: "collect_finish",
    CollectError: "collect_error",
    CollectSkip: "collect_skip",
    StartedTest: "test_start",
    FinishedTest: "test",
    FixtureLate: "fixture_late",
    Sample: "sample",
    ServerSeen: "server_seen",
    ServerSample: "server_sample",
    WarningRaised: "warning",
    Printed: "printed",
    WorkerUp: "worker_up",
    WorkerDown: "worker_down",
    RunCancel: "run_cancel",
    RunFinish: "run_finish",
    LinesLost: "lines_lost",
    RunRequest: "run_request",
    RunLost: "run_lost",
}


class Line(Record):
    """An event in its envelope.

    `seq` numbers the lines of one sender from 1, across all its connections; `worker` is the xdist
    worker's id, "" for a single process, for the controller and for the monitor itself.
    """

    seq: int
    t_ns: int
    worker: str
    event: Event
