"""Random runs of a small suite, the lines that they send, and what a monitor must know at the end.

`Plan` says what happens in one run, `stream` turns plans into lines as the connections of that run
would deliver them, and `Model` follows the plans, not the lines: a reference for the reducer.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st

from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectError,
    CollectFinish,
    Event,
    FinishedTest,
    FixtureUse,
    Hello,
    Line,
    Phase,
    PoolSample,
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
    Sample,
    StartedTest,
    Subtest,
    WarningRaised,
    WorkerDown,
    WorkerUp,
)

SUITE = {"a.py": 3, "b.py": 2, "sub/c.py": 1}
Phases = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fate:
    """How one attempt ends: its record's outcome, its phases, and the words of pytest's summary line."""

    outcome: str
    phases: Phases
    words: tuple[str, ...]
    failed_subtests: int = 0


def _phases(**outcomes: str) -> Phases:
    return tuple(outcomes.items())


PASSED = Fate("passed", _phases(setup="passed", call="passed", teardown="passed"), ("passed",))
CRASHED = Fate("failed", (("???", "failed"),), ("failed",))
ENDS = (
    PASSED,
    Fate("failed", _phases(setup="passed", call="failed", teardown="passed"), ("failed",)),
    Fate("error", _phases(setup="failed", teardown="passed"), ("error",)),
    Fate("error", _phases(setup="passed", call="passed", teardown="failed"), ("passed", "error")),
    Fate("failed", _phases(setup="passed", call="failed", teardown="failed"), ("failed", "error")),
    Fate("skipped", _phases(setup="skipped", teardown="passed"), ("skipped",)),
    Fate("skipped", _phases(setup="passed", call="skipped", teardown="passed"), ("skipped",)),
    Fate("skipped", _phases(setup="passed", call="passed", teardown="skipped"), ("passed", "skipped")),
    Fate("xfailed", _phases(setup="passed", call="xfailed", teardown="passed"), ("xfailed",)),
    Fate("xpassed", _phases(setup="passed", call="xpassed", teardown="passed"), ("xpassed",)),
    # pytest 9 fails a test with failed subtests, pytest-subtests does not.
    Fate("failed", _phases(setup="passed", call="failed", teardown="passed"), ("failed",) * 3, 2),
    Fate("failed", _phases(setup="passed", call="passed", teardown="passed"), ("passed", "failed"), 1),
)
# pytest-rerunfailures publishes the reports of an attempt up to the first that failed.
RERUNS = (
    Fate("rerun", _phases(setup="rerun", teardown="passed"), ("rerun",)),
    Fate("rerun", _phases(setup="passed", call="rerun", teardown="passed"), ("rerun",)),
    Fate("rerun", _phases(setup="passed", call="rerun", teardown="rerun"), ("rerun",)),
    Fate("rerun", _phases(setup="passed", call="passed", teardown="rerun"), ("passed", "rerun")),
)


@dataclass(frozen=True)
class Script:
    """What becomes of a test that runs: all its attempts, on one worker."""

    nodeid: str
    attempts: tuple[Fate, ...]
    worker: str = ""
    crashes: bool = False  # the worker dies in it; its record comes from the controller


@dataclass(frozen=True)
class Plan:
    """One run. Tests that were collected and have no script were not reached, or were running at the end."""

    run: str
    scope: str
    files: tuple[str, ...]
    workers: tuple[str, ...]
    collected: tuple[str, ...]
    broken: tuple[str, ...]
    scripts: tuple[Script, ...]
    hanging: tuple[tuple[str, str], ...]  # worker, node id
    lost: bool
    cancelled: str = ""


def file_of(nodeid: str) -> str:
    """The file that a node id begins with."""
    return nodeid.partition("::")[0]


@st.composite
def plans(draw: st.DrawFn, run: str, known: frozenset[str] = frozenset()) -> Plan:
    """A run of everything, of files or of single tests; some files are broken, some tests deleted."""
    present = [f"{file}::test_{n}" for file, count in SUITE.items() for n in range(count)]
    deleted = draw(st.sets(st.sampled_from(present), max_size=2))
    broken = draw(st.just(set[str]()) | st.sets(st.sampled_from(sorted(SUITE)), max_size=2))
    kind = draw(st.sampled_from(["all", "files", "tests"] if known else ["all"]))
    wanted, files = set(present), set[str]()
    if kind == "files":
        files = draw(st.sets(st.sampled_from(sorted(SUITE)), min_size=1))
        wanted = {nodeid for nodeid in present if file_of(nodeid) in files}
    elif kind == "tests":
        wanted = draw(st.sets(st.sampled_from(sorted(known)), min_size=1))
    broken = broken & {file_of(nodeid) for nodeid in wanted}
    collected = [n for n in present if n in wanted - deleted and file_of(n) not in broken]
    workers = draw(st.sampled_from([(), ("gw0", "gw1"), ("gw0", "gw1", "gw2")]))
    # Under xdist a collection error always ends the run; a single process can be told to go on.
    runnable = [] if broken and workers else collected
    reached = draw(st.integers(0, len(runnable)))
    scripts, alive = draw(_scripts(runnable[:reached], workers))
    hanging = tuple(zip(alive or [""], runnable[reached:], strict=False))[: draw(st.integers(0, 3))]
    cancelled = ""
    if reached < len(runnable) and reached:
        cancelled = draw(st.sampled_from(["maxfail", "interrupt"]))
    elif broken and not hanging:
        cancelled = "" if reached else "collection"
    return Plan(
        run=run,
        scope="all" if kind == "all" else "some",
        files=tuple(sorted(files)),
        workers=workers,
        collected=tuple(collected),
        broken=tuple(sorted(broken)),
        scripts=scripts,
        hanging=hanging,
        lost=draw(st.booleans()),
        cancelled=cancelled,
    )


@st.composite
def _scripts(
    draw: st.DrawFn, nodeids: list[str], workers: tuple[str, ...]
) -> tuple[tuple[Script, ...], list[str]]:
    """What becomes of these tests, and the workers that are there at the end; a crashed one is replaced."""
    found = []
    alive = list(workers)
    for nodeid in nodeids:
        place = draw(st.integers(0, len(alive) - 1)) if alive else 0
        reruns = draw(st.lists(st.sampled_from(RERUNS), max_size=2))
        crashes = bool(alive) and draw(st.integers(0, 9)) == 0
        last = CRASHED if crashes else draw(st.sampled_from(ENDS))
        found.append(Script(nodeid, (*reruns, last), alive[place] if alive else "", crashes))
        if crashes:
            alive[place] += "'"
    return tuple(found), alive


@st.composite
def sessions(draw: st.DrawFn, most: int = 3) -> list[Plan]:
    """One to `most` runs, one after the other."""
    found: list[Plan] = []
    model = Model()
    for number in range(draw(st.integers(1, most))):
        found.append(draw(plans(f"run-{number}", frozenset(model.items))))
        model.follow(found[-1])
    return found


def record(script: Script, attempt: int, started_ns: int) -> FinishedTest:
    """The record of one attempt."""
    fate = script.attempts[attempt - 1]
    phases = tuple(
        Phase(when, outcome, 1_000_000 * len(when), 500_000, (60 + attempt) << 20, attempt << 10)
        for when, outcome in fate.phases
    )
    fixtures = (
        FixtureUse("pool", "session", 900_000, 900_000, cached=False, first_user=script.nodeid),
        FixtureUse("clean", "function", 300_000, 300_000, 100_000),
    )
    subtests = tuple(Subtest("failed", f"[{n}]") for n in range(fate.failed_subtests))
    if subtests:
        subtests += (Subtest("passed", "[ok]"), Subtest("skipped", "[no]"))
    return FinishedTest(script.nodeid, fate.outcome, attempt, started_ns, phases, fixtures, subtests)


def _connections(plan: Plan) -> Iterator[list[tuple[str, Event]]]:
    """What each connection says, in its order: the single process or controller, then each worker."""
    collector = plan.workers[0] if plan.workers else ""
    chunks = [tuple(CollectedTest(n, file_of(n)) for n in part) for part in _halves(plan.collected)]
    collection: list[tuple[str, Event]] = [(collector, Collect(chunk)) for chunk in chunks]
    collection.append((collector, CollectFinish(len(plan.collected))))
    role = "controller" if plan.workers else "single"
    main: list[tuple[str, Event]] = [("", Hello(1, "", plan.run, 1, role))]
    main += [("", CollectError(file, "SyntaxError")) for file in plan.broken]
    if not plan.workers:
        yield [*main, *collection, *_tests(plan, "")]
        return
    main += [("", WorkerUp(worker)) for worker in plan.workers]
    main.append(("", WarningRaised("deprecated", "DeprecationWarning")))
    for script in plan.scripts:
        if script.crashes:
            main.append(("", WorkerDown(script.worker, True, "crashed")))
            main.append((script.worker, record(script, len(script.attempts), 0)))
            main.append(("", WorkerUp(script.worker + "'")))
    yield main
    replaced = [script.worker + "'" for script in plan.scripts if script.crashes]
    for worker in (*plan.workers, *replaced):
        lines: list[tuple[str, Event]] = [(worker, Hello(1, "", plan.run, 2, "worker"))]
        yield [*lines, *(collection if worker == collector else ()), *_tests(plan, worker)]


def _halves(nodeids: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return nodeids[:2], nodeids[2:]


def _tests(plan: Plan, worker: str) -> Iterator[tuple[str, Event]]:
    for script in plan.scripts:
        if script.worker == worker:
            for attempt in range(1, len(script.attempts) + 1):
                yield worker, StartedTest(script.nodeid, attempt)
                if not script.crashes or attempt < len(script.attempts):
                    yield worker, record(script, attempt, attempt)
            yield worker, Sample(50 << 20, 1, (PoolSample("shop", "asyncpg", 1, 2, 3, 4),))
    for where, nodeid in plan.hanging:
        if where == worker:
            yield worker, StartedTest(nodeid, 1)


def stream(plan: Plan, random: Random) -> list[Line]:
    """The lines of one run, its connections interleaved at random."""
    events: list[tuple[str, Event]] = [("", RunRequest(plan.run, plan.scope, "a reason", files=plan.files))]
    waiting = [list(reversed(lines)) for lines in _connections(plan)]
    while waiting:
        chosen = random.choice(waiting)
        events.append(chosen.pop())
        waiting = [lines for lines in waiting if lines]
    if plan.cancelled:
        events.append(("", RunCancel(plan.cancelled)))
    events.append(("", RunLost(-9, "SIGKILL") if plan.lost else RunFinish(1)))
    return [
        Line(number, number * 7_000_000, worker, event) for number, (worker, event) in enumerate(events, 1)
    ]


@dataclass
class Known:
    """What there is to know about one test."""

    outcome: str = ""
    run: int = 0
    reruns: int = 0
    words: tuple[str, ...] = ()


@dataclass
class Model:
    """The state after some plans, worked out from the plans alone."""

    items: dict[str, Known] = field(default_factory=dict)
    runs: int = 0
    run_counts: Counter[str] = field(default_factory=Counter)

    def follow(self, plan: Plan) -> None:
        """Take one run in."""
        self.runs += 1
        self.run_counts = Counter({"error": len(plan.broken)} if plan.broken else {})
        seen = {*plan.collected}
        for nodeid in seen:
            self.items.setdefault(nodeid, Known())
        for script in plan.scripts:
            *reruns, last = script.attempts
            self.items[script.nodeid] = Known(last.outcome, self.runs, len(reruns), last.words)
            self.run_counts.update(word for fate in script.attempts for word in fate.words)
        if plan.lost:
            for _worker, nodeid in plan.hanging:
                self.items[nodeid] = Known("lost", self.runs, 0, ("lost",))
                self.run_counts["lost"] += 1
        tested = bool(plan.scripts or plan.hanging)
        if tested or not (plan.lost or plan.cancelled not in ("", "collection")):
            self._delete(plan, seen)

    def _delete(self, plan: Plan, seen: set[str]) -> None:
        sound = {file_of(nodeid) for nodeid in seen} - set(plan.broken)
        for nodeid in set(self.items) - seen:
            in_scope = plan.scope == "all" or file_of(nodeid) in plan.files
            if in_scope and (not plan.broken or file_of(nodeid) in sound):
                del self.items[nodeid]

    @property
    def counts(self) -> Counter[str]:
        """pytest's words over the last attempt of every test."""
        return Counter(word for known in self.items.values() for word in known.words)
