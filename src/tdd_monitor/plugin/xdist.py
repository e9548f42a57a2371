"""pytest-xdist: what the controller does for its workers, and how they report.

Workers that see our files connect to the monitor themselves. Others (--tx ssh, --tx socket) get the
sources over execnet and send their lines back over a channel of it; the controller passes them on.
"""

import os
import pkgutil
import time
from typing import Any, Callable, Dict, List, Optional

import pytest

import tdd_monitor
from tdd_monitor.plugin import outcomes, remote
from tdd_monitor.plugin.guard import Guard, guarded
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.protocol.codec import ProtocolError, decode, number_of
from tdd_monitor.protocol.events import (
    FinishedTest,
    Line,
    LinesLost,
    Phase,
    WarningRaised,
    WorkerDown,
    WorkerUp,
)
from tdd_monitor.protocol.receiving import Numbers, Splitter

TIMEOUT_S = 20.0
SHIPPED = ("tdd_monitor.plugin", "tdd_monitor.protocol")


class ControllerReporter:
    """Pytest plugin of the xdist controller: enlists workers, reports when they start and stop."""

    def __init__(self, guard: Guard, stream: Stream, request: Dict[str, Any], rename: Callable[[str], str]):
        self.guard = guard
        self._stream = stream
        self._request = request
        self._rename = rename
        self._collector: Optional[Any] = None
        self._collected = False
        self._reruns: Dict[str, int] = {}
        self._relays: Dict[str, Relay] = {}
        self._unfinished: Dict[str, List[Any]] = {}  # what pytest counts of tests in progress

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_configure_node(self, node: Any) -> None:
        """Before the worker's pytest starts: make the plugin importable there, set where to report."""
        if self._collector is None:
            self._collector = node
        gateway = node.gateway
        local = bool(gateway.spec.popen) and not gateway.spec.via
        request = dict(self._request, worker=gateway.id, collects=self._collector is node)
        order = {"directory": os.path.dirname(tdd_monitor.__file__) if local else "", "request": request}
        channel = gateway.remote_exec(remote)
        channel.send(order)
        answer = channel.receive(TIMEOUT_S)
        if answer == remote.WANTS_SOURCES:
            channel.send(_sources())
            answer = channel.receive(TIMEOUT_S)
        if answer == remote.WANTS_RELAY:
            relay = gateway.newchannel()
            self._relays[gateway.id] = Relay(self.guard, self._stream, gateway.id)
            relay.setcallback(self._relays[gateway.id])
            channel.send(relay)
            answer = channel.receive(TIMEOUT_S)
        if answer != remote.READY:
            self._stream.emit(
                WarningRaised("Worker %s is not measured: %s" % (gateway.id, answer), "tdd-monitor")
            )

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_testnodeready(self, node: Any) -> None:
        """The worker has started."""
        self._stream.emit(WorkerUp(node.gateway.id))
        self._stream.flush()

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_xdist_node_collection_finished(self) -> None:
        """A worker has collected: workers that start later need not report it."""
        self._collected = True

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """The worker is gone; without an error, as it should."""
        if node is self._collector and not self._collected:
            self._collector = None
        if node.gateway.id in self._relays:
            self._relays.pop(node.gateway.id).finish()
        crashed = error is not None and error != "keyboard-interrupt"
        if not crashed:  # it has reported what it left unfinished
            mine = [nodeid for nodeid, reports in self._unfinished.items() if reports[0].node is node]
            for nodeid in mine:
                del self._unfinished[nodeid]
        self._stream.emit(WorkerDown(node.gateway.id, crashed, str(error) if error else ""))
        self._stream.flush()

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Workers report tests, except the one in which they crash."""
        nodeid = self._rename(report.nodeid)
        if report.when == "???":
            attempt = self._reruns.get(nodeid, 0) + 1
            phases = tuple([_phase(each) for each in (*self._unfinished.pop(nodeid, ()), report)])
            record = FinishedTest(nodeid, phases[-1].outcome, attempt, phases=phases)
            self._stream.emit(record, worker=report.node.gateway.id)
        elif (report.when == "call" or report.outcome != "passed") and not outcomes.is_subtest(report):
            self._unfinished.setdefault(nodeid, []).append(report)
        if report.outcome == "rerun":
            self._reruns[nodeid] = self._reruns.get(nodeid, 0) + 1

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """The worker itself has reported the whole attempt."""
        self._unfinished.pop(self._rename(nodeid), None)


def _phase(report: Any) -> Phase:
    outcome = outcomes.of_report(report)
    longrepr = "" if outcome == "passed" else outcomes.longrepr(report)
    return Phase(report.when, outcome, max(0, int(report.duration * 1e9)), longrepr=longrepr)


class Relay:
    """Passes on the lines of one remote worker, its times translated to the controller's clock."""

    def __init__(self, guard: Guard, stream: Stream, worker: str) -> None:
        self.guard = guard
        self._stream = stream
        self._worker = worker
        self._splitter = Splitter()
        self._numbers = Numbers()
        self._malformed = 0
        self._ahead_ns: Optional[int] = None

    @guarded
    def __call__(self, data: bytes, now: Callable[[], int] = time.monotonic_ns) -> None:
        """Called by execnet's receiving thread, in the order of sending."""
        now_ns = now()
        lines = [line for line in map(self._decode, self._splitter.feed(data)) if line is not None]
        for line in lines:
            # The fastest line so far is the best estimate of how far the other clock is behind ours.
            ahead_ns = now_ns - line.t_ns
            self._ahead_ns = ahead_ns if self._ahead_ns is None else min(ahead_ns, self._ahead_ns)
        for line in lines:
            assert self._ahead_ns is not None
            event = line.event
            if isinstance(event, FinishedTest) and event.started_ns:
                event = event._replace(started_ns=event.started_ns + self._ahead_ns)
            self._stream.emit(event, worker=self._worker, t_ns=line.t_ns + self._ahead_ns)
        self._stream.flush()

    def _decode(self, raw: bytes) -> Optional[Line]:
        """None for what this controller cannot read, and for what it has had already."""
        try:
            line = decode(raw)
        except ProtocolError:
            self._malformed += 1
            line = None
        return line if self._numbers.accept(number_of(raw) if line is None else line.seq) else None

    def finish(self) -> None:
        """Report what the worker sent and did not arrive."""
        missing, malformed = self._numbers.missing, self._malformed + self._splitter.oversized
        if missing or malformed:
            self._stream.emit(LinesLost(missing, malformed))


class ChannelTransport:
    """The stream's transport in a worker that reaches the monitor through its controller only."""

    kept: Any = None  # a channel that is collected says so to the other side, even in a forked child
    connection = 1

    def __init__(self, channel: Any) -> None:
        self._channel = ChannelTransport.kept = channel

    def send(self, data: bytes) -> int:
        """Takes everything; raises OSError when the controller is gone."""
        self._channel.send(data)
        return len(data)

    def wait(self, timeout_s: float) -> None:
        """Never full."""

    def close(self) -> None:
        """The channel ends with the worker."""


def without_group(nodeid: str) -> str:
    """--dist loadgroup appends "@group" to node ids, with which pytest itself cannot find the test."""
    at = nodeid.rfind("@")
    return nodeid[:at] if at > max(nodeid.rfind("]"), nodeid.find("::")) > 0 else nodeid


def renamer(config: Any) -> Callable[[str], str]:
    """How node ids of this process become those that the monitor knows."""
    grouped = getattr(config.option, "loadgroup", False) or getattr(config.option, "dist", "") == "loadgroup"
    return without_group if grouped else str


def _sources() -> Dict[str, str]:
    """Text of every module that a remote worker needs, by name; packages end with a dot."""
    found = {"tdd_monitor.": ""}
    for package in SHIPPED:
        directory = os.path.join(os.path.dirname(tdd_monitor.__file__), *package.split(".")[1:])
        found[package + "."] = _read(os.path.join(directory, "__init__.py"))
        for module in pkgutil.walk_packages([directory], package + "."):
            base = os.path.join(os.path.dirname(tdd_monitor.__file__), *module.name.split(".")[1:])
            if module.ispkg:
                found[module.name + "."] = _read(os.path.join(base, "__init__.py"))
            else:
                found[module.name] = _read(base + ".py")
    return found


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
