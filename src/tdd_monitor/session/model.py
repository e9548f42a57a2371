"""The state of the monitor: items, runs, workers, pools.

Only the reducer mutates it; all others read. Times are `time.monotonic_ns()` of the
processes that sent them, sizes are bytes.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum

from tdd_monitor.protocol.events import (
    CollectError,
    CollectSkip,
    FinishedTest,
    FixtureUse,
    Hello,
    PoolSample,
    RunLost,
    ServerSample,
    WarningRaised,
)
from tdd_monitor.protocol.marks import OwnThreshold

from .growth import Growth

HISTORY = 20  # durations kept per item, over runs
SERIES = 600  # samples kept per series: one minute at ten a second
MAX_WARNINGS = 1000
MAX_RUNS = 100  # runs whose figures are kept; texts only until the next one
MAX_WORKERS = 1000  # xdist replaces every crashed worker, indefinitely

OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed", "lost")
USAGE_ERROR, NO_TESTS_COLLECTED = 4, 5  # exit codes of pytest
FAILURES = frozenset({"failed", "error", "lost"})


class ItemState(StrEnum):
    """The state of an item in the current run."""

    IDLE = "idle"  # not part of the current run, or not reached by it
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"


class RunState(StrEnum):
    """The state of a run. Only FINISHED and LOST are final."""

    STARTING = "starting"
    COLLECTING = "collecting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    LOST = "lost"


@dataclass(slots=True)
class Item:
    """One test. `record` is its last attempt, from run `record_run`.

    A test that was lost with its process has the outcome "lost" and no record.
    """

    nodeid: str
    index: int
    file: str = ""
    line: int = 0
    markers: tuple[str, ...] = ()
    thresholds: tuple[OwnThreshold, ...] = ()  # set by its marks, one per metric
    state: ItemState = ItemState.IDLE
    outcome: str = ""
    record: FinishedTest | None = None
    record_run: int = 0
    earlier: tuple[FinishedTest, ...] = ()  # attempts before `record`, in its run
    seen_run: int = 0  # last run that collected or ran it
    collected_run: int = 0  # last run that collected it
    worker: str = ""
    started_ns: int = 0
    attempt: int = 0
    own_ns: int = -1  # own duration of `record`, cached because every frame sorts by it
    history_ns: tuple[int, ...] = ()  # own durations of passed first attempts, oldest first

    @property
    def flaky(self) -> bool:
        """Passed, but not at the first attempt."""
        return self.outcome == "passed" and bool(self.earlier)


@dataclass(slots=True)
class Run:
    """One run of pytest, from the request to its end."""

    number: int
    id: str
    scope: str  # all or some
    reason: str
    requested_ns: int
    files: tuple[str, ...] = ()  # collected again completely by a run of scope "some"
    state: RunState = RunState.STARTING
    hello: Hello | None = None
    requested_wall_ns: int = 0  # since the epoch; 0 is unknown
    expected: int = 0
    collected: int = 0
    deselected: int = 0
    done: int = 0  # tests whose last attempt is finished, out of `expected`
    tested: bool = False  # a test has started
    collected_all: bool = False  # items that it should have collected and did not are deleted
    started_ns: int = 0  # end of collection, when tests start to run
    finished_ns: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    reported_counts: dict[str, int] = field(default_factory=dict)
    collect_errors: list[CollectError] = field(default_factory=list)
    collect_skips: list[CollectSkip] = field(default_factory=list)
    collect_lines: set[tuple[str, int, str]] = field(default_factory=set)  # worker, number, node id of both
    header: str = ""  # output of pytest's plugins above the tests
    summary: str = ""  # output of pytest and its plugins at the end, without failures and counts
    cancel_reason: str = ""
    cancel_detail: str = ""
    exitstatus: int | None = None
    dropped: int = 0
    missing_lines: int = 0  # sent but never arrived
    malformed_lines: int = 0  # arrived but could not be decoded
    lost: RunLost | None = None
    lost_nodeids: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """True until the run has ended in any way."""
        return self.state not in (RunState.FINISHED, RunState.LOST)


@dataclass(slots=True)
class Worker:
    """A process that runs tests; id "" is the single process (or the xdist controller)."""

    id: str
    role: str = "single"
    pid: int = 0
    alive: bool = True
    crashed: bool = False
    reason: str = ""
    running: str = ""
    running_since_ns: int = 0
    finished: int = 0
    rss_bytes: int = 0
    first_rss_bytes: int = 0
    peak_rss_bytes: int = 0
    drift_bytes: int = 0  # growth between tests, attributed to none
    growth: Growth | None = None  # from its first test on

    @property
    def warm_up_bytes(self) -> int:
        """Growth from the first reading to the first test: imports, collection, shared fixtures."""
        return self.growth.before_bytes - self.first_rss_bytes if self.growth is not None else 0

    @property
    def growth_bytes(self) -> int:
        """Growth since the first test started."""
        return self.growth.total_bytes if self.growth is not None else 0


PoolKey = tuple[str, int, str]  # worker, number of the pool in it, name


@dataclass(slots=True)
class Pool:
    """A connection pool of one worker over time; with `latest.pools` above 1, closed ones of one name."""

    worker: str
    latest: PoolSample
    history: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=SERIES))
    peak_in_use: int = 0
    peak_waiting: int = 0
    closed: bool = False


@dataclass(slots=True)
class Held:
    """The tests' open connections to one server, by worker, and their peak."""

    now: dict[str, int] = field(default_factory=dict)
    peak: int = 0


@dataclass(slots=True)
class DatabaseServer:
    """A PostgreSQL server that the tests use, and its own count of client connections."""

    latest: ServerSample
    peak: int = 0
    max_connections: int = 0  # last reported value; 0 is unknown
    was_full: bool = False


@dataclass(slots=True)
class SharedFixture:
    """One instance of a fixture that outlives tests, in run number `run`.

    `use` is its setup and teardown together, whichever tests they arrived with; `tests` is the number of
    tests in that run that used it, including the one that it was set up for.
    """

    use: FixtureUse
    run: int
    tests: int = 0


@dataclass(slots=True)
class Session:
    """The whole state. `now_ns` is the latest time in any event of this run."""

    items: dict[str, Item] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    workers: dict[str, Worker] = field(default_factory=dict)
    forgotten_workers: int = 0  # of this run, beyond MAX_WORKERS
    forgotten_crashes: int = 0  # those of them that had crashed
    pools: dict[PoolKey, Pool] = field(default_factory=dict)
    more_pools: dict[str, int] = field(default_factory=dict)  # open ones that are not in `pools`, by worker
    held: dict[str, Held] = field(default_factory=dict)  # by server
    servers: dict[str, DatabaseServer] = field(default_factory=dict)
    # By name, scope, node id of the first user, and where it is defined.
    shared_fixtures: dict[tuple[str, str, str, str], SharedFixture] = field(default_factory=dict)
    memory: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=SERIES))
    warnings: deque[WarningRaised] = field(default_factory=lambda: deque(maxlen=MAX_WARNINGS))
    counts: Counter[str] = field(default_factory=Counter)
    now_ns: int = 0
    next_index: int = 0  # above that of every item

    @property
    def run(self) -> Run | None:
        """The current run, or the last one."""
        return self.runs[-1] if self.runs else None


@dataclass(slots=True)
class Delta:
    """What an event changed, for readers that maintain derived state."""

    items: set[str] = field(default_factory=set)
    rows: bool = False  # items were added, removed or reordered
    run: bool = False
    samples: bool = False

    def merge(self, other: "Delta") -> None:
        """Add the changes of `other`."""
        self.items |= other.items
        self.rows |= other.rows
        self.run |= other.run
        self.samples |= other.samples

    def __bool__(self) -> bool:
        return bool(self.items) or self.rows or self.run or self.samples
