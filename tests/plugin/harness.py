"""Runs a suite through bootstrap.py, as the monitor does, and keeps what the plugin says."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import tdd_monitor
from tdd_monitor.protocol.codec import CANCELLED, decode
from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    FinishedTest,
    FixtureUse,
    Hello,
    Line,
    Phase,
    PoolUse,
    RunFinish,
    RunRequest,
    StartedTest,
)
from tdd_monitor.protocol.receiving import Numbers
from tdd_monitor.session import completeness, reducer
from tdd_monitor.session.metrics import categories
from tdd_monitor.session.model import Session

# Where a suite under test runs. `.ci/matrix.py` names others in turn.
PYTHON = os.environ.get("PLUGIN_TEST_PYTHON") or sys.executable
BOOTSTRAP = Path(tdd_monitor.__file__).parent / "plugin" / "bootstrap.py"
TOKEN, RUN = "a-token", "a-run"
MS = 1_000_000
MB = 1 << 20
EventType = TypeVar("EventType")
_FOREIGN = ("TDD_MONITOR_", "PYTEST")


@dataclass
class Run:
    """Everything that came over the socket, in order of arrival, and how the process ended."""

    exitcode: int
    output: str
    lines: list[Line]
    connections: int

    def events(self, kind: type[EventType]) -> list[EventType]:
        """All events of one type."""
        return [line.event for line in self.lines if isinstance(line.event, kind)]

    @property
    def records(self) -> list[FinishedTest]:
        """One a finished attempt."""
        return self.events(FinishedTest)

    def test(self, name: str) -> FinishedTest:
        """The only attempt at the test whose node id ends so."""
        found = [record for record in self.records if record.nodeid.endswith(name)]
        assert len(found) == 1, f"{len(found)} records of {name}, in\n{self.output}"
        return found[0]

    def phase(self, name: str, when: str) -> Phase:
        """A phase of that attempt."""
        return next(phase for phase in self.test(name).phases if phase.when == when)

    def fixture(self, name: str, fixture: str) -> FixtureUse:
        """What a fixture cost within that attempt."""
        return next(use for use in self.test(name).fixtures if use.name == fixture)

    def pool(self, name: str, engine: str) -> PoolUse:
        """What that attempt did with the only pool of an engine."""
        (use,) = [use for use in self.test(name).db if use.engine == engine]
        return use

    @property
    def finish(self) -> RunFinish:
        """The last word."""
        (finish,) = self.events(RunFinish)
        assert isinstance(self.lines[-1].event, RunFinish)
        return finish

    @property
    def collected(self) -> list[CollectedTest]:
        """All collected items."""
        return [test for collect in self.events(Collect) for test in collect.tests]

    @property
    def hello(self) -> Hello:
        """Who leads."""
        (hello,) = [hello for hello in self.events(Hello) if hello.role != "worker"]
        return hello

    @property
    def counted(self) -> dict[str, int]:
        """The categories of all records, added up as the session does."""
        return dict(Counter(word for record in self.records for word in categories(record)))

    @property
    def summary(self) -> dict[str, int]:
        """The counts of pytest's own last line."""
        words = re.findall(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|rerun)", self.output)
        return {word.replace("errors", "error"): int(number) for number, word in words[-8:]}

    @property
    def problems(self) -> list[str]:
        """What the monitor would say is missing."""
        session = Session()
        held = [line for line in self.lines if isinstance(line.event, RunFinish)]
        requested = Line(0, 0, "", RunRequest(RUN, "all"))
        for line in (requested, *(line for line in self.lines if line not in held), *held):
            reducer.apply(session, line)
        assert session.run is not None
        return completeness.problems(session.run)

    def assert_well_formed(self) -> None:
        """What must hold for every stream: one hello first, numbers without gaps, starts before ends."""
        hellos = self.events(Hello)
        assert len(hellos) == self.connections
        assert all(hello.token == TOKEN and hello.run == RUN for hello in hellos)
        started = {(s.nodeid, s.attempt) for s in self.events(StartedTest)}
        for record in self.records:
            if record.phases and record.phases[0].when != "???":
                assert (record.nodeid, record.attempt) in started
                assert all(0 <= phase.wall_ns < 60_000 * MS for phase in record.phases)
                assert all(phase.cpu_ns >= 0 and phase.rss_bytes >= 0 for phase in record.phases)


def queries(db: Iterable[PoolUse]) -> tuple[int, int]:
    """All statements, and those of them that are DDL."""
    return sum(use.queries for use in db), sum(use.ddl for use in db)


@dataclass
class Listener:
    """The monitor's end of the socket."""

    address: str
    reading: threading.Event = field(default_factory=threading.Event)
    hang_up_after: int = 0
    pause_s: float = 0.0  # before each line
    lines: list[Line] = field(default_factory=list)
    malformed: list[bytes] = field(default_factory=list)
    connections: int = 0
    _numbers: dict[tuple[str, int], Numbers] = field(default_factory=dict)
    _open: int = 0
    _idle: threading.Condition = field(default_factory=threading.Condition)

    def serve(self, connection: socket.socket) -> None:
        """Read one connection to its end."""
        numbers: Numbers | None = None
        with connection, connection.makefile("rb") as file:
            for raw in file:
                self.reading.wait()
                time.sleep(self.pause_s)
                numbers = self._take(raw, numbers)
                if self.hang_up_after and len(self.lines) >= self.hang_up_after:
                    break
        with self._idle:
            self._open -= 1
            self._idle.notify_all()

    def _take(self, raw: bytes, numbers: Numbers | None) -> Numbers | None:
        """Keep a line, as the monitor would; returns the numbers of its sender."""
        if raw.endswith(CANCELLED):
            return numbers
        try:
            line = decode(raw)
        except ValueError:
            line = None
        if line is None:
            self.malformed.append(raw)
        elif numbers is None:
            assert isinstance(line.event, Hello), line
            numbers = self._numbers.setdefault((line.worker, line.event.pid), Numbers())
            numbers.accept(line.seq)
            self.lines.append(line)
        elif numbers.accept(line.seq):
            self.lines.append(line)
        return numbers

    @property
    def missing(self) -> int:
        """Lines that were sent and have not come."""
        return sum(numbers.missing for numbers in self._numbers.values())

    def accepted(self) -> None:
        """A connection more."""
        with self._idle:
            self.connections += 1
            self._open += 1

    def wait_idle(self, timeout_s: float = 60.0) -> None:
        """Until every connection has ended."""
        with self._idle:
            assert self._idle.wait_for(lambda: self._open == 0, timeout_s), "a connection stays open"


@contextmanager
def listening(tcp: bool = False) -> Iterator[Listener]:
    """A listener on a Unix-domain socket with a short path, or on the loopback interface."""
    family = socket.AF_INET if tcp else socket.AF_UNIX
    with tempfile.TemporaryDirectory(prefix="tddm-") as directory, socket.socket(family) as server:
        server.bind(("127.0.0.1", 0) if tcp else f"{directory}/s")
        server.listen(50)
        place = f"tcp:127.0.0.1:{server.getsockname()[1]}" if tcp else f"unix:{directory}/s"
        listener = Listener(place)
        listener.reading.set()

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                listener.accepted()
                threading.Thread(target=listener.serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener
        server.shutdown(socket.SHUT_RDWR)


def environment(listener: Listener | None = None, **more: str) -> dict[str, str]:
    """A clean environment, with the request of a monitor when there is one."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    env["PYTEST_ADDOPTS"] = "-p no:unraisableexception"  # see tests/conftest.py
    if listener is not None:
        env |= {
            "TDD_MONITOR_ADDRESS": listener.address,
            "TDD_MONITOR_TOKEN": TOKEN,
            "TDD_MONITOR_RUN": RUN,
            "TDD_MONITOR_MEMORY": "rss",
        }
    return env | more


def run_pytest(
    directory: Path,
    *args: str,
    python: str = PYTHON,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 60.0,
    complete: bool = True,
) -> Run:
    """Run pytest in `directory` with the plugin, to its end. `complete`: all that it did must arrive."""
    with listening() as listener:
        process = subprocess.run(
            [python, str(BOOTSTRAP), "-p", "no:cacheprovider", *args],
            cwd=directory,
            env=environment(listener, **(env or {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
            text=True,
            errors="replace",
        )
        listener.wait_idle()
    assert not listener.malformed, listener.malformed[:3]
    assert not listener.missing
    run = Run(process.returncode, process.stdout, listener.lines, listener.connections)
    assert not (complete and run.problems), (run.problems, run.output)
    return run


def plain_pytest(directory: Path, *args: str, python: str = PYTHON) -> tuple[int, str]:
    """The same without a monitor: exit code and output."""
    process = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", *args],
        cwd=directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
        text=True,
        errors="replace",
    )
    return process.returncode, process.stdout


def wait_until(condition: object, timeout_s: float = 60.0) -> None:
    """Poll a callable until it is true."""
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
