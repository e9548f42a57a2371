"""pytest-xdist: how the controller sets up its workers, and how they report.

Workers that can read our files connect to the monitor themselves. Others (--tx ssh, --tx socket) receive
the sources over execnet and send their lines over an execnet channel; the controller forwards them.
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
    """Pytest plugin in the xdist controller: sets up workers, reports when they start and stop."""

    def __init__(self, guard: Guard, stream: Stream, request: Dict[str, Any], rename: Callable[[str], str]):
        self.guard = guard
        self._stream = stream
        self._request = request
        self._rename = rename
        self._collector: Optional[Any] = None
        self._collected = False
        self._reruns: Dict[str, int] = {}
        self._relays: Dict[str, Relay] = {}
        self._unfinished: Dict[str, List[Any]] = {}  # reports that pytest counts, of tests in progress

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_configure_node(self, node: Any) -> None:
        """Make the plugin importable in the worker and set its request, before its pytest starts."""
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
        """A worker has collected: workers that start later need not report their collection."""
        self._collected = True

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """The worker has exited; without an `error`, normally."""
        if node is self._collector and not self._collected:
            self._collector = None
        if node.gateway.id in self._relays:
            self._relays.pop(node.gateway.id).finish()
        crashed = error is not None and error != "keyboard-interrupt"
        if not crashed:  # the worker itself has reported its unfinished tests
            mine = [nodeid for nodeid, reports in self._unfinished.items() if reports[0].node is node]
            for nodeid in mine:
                del self._unfinished[nodeid]
        self._stream.emit(WorkerDown(node.gateway.id, crashed, str(error) if error else ""))
        self._stream.flush()

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Report the test in which a worker crashed; workers report all others."""
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
        """The worker has reported the whole attempt."""
        self._unfinished.pop(self._rename(nodeid), None)


def _phase(report: Any) -> Phase:
    outcome = outcomes.of_report(report)
    longrepr = "" if outcome == "passed" else outcomes.longrepr(report)
    return Phase(report.when, outcome, max(0, int(report.duration * 1e9)), longrepr=longrepr)


class Relay:
    """Forwards the lines of one remote worker, with times translated to the controller's clock."""

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
            # The line with the least delay gives the best estimate of the offset between the clocks.
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
        """None for a line that this controller cannot read or has already received."""
        try:
            line = decode(raw)
        except ProtocolError:
            self._malformed += 1
            line = None
        return line if self._numbers.accept(number_of(raw) if line is None else line.seq) else None

    def finish(self) -> None:
        """Report lines that the worker sent but that did not arrive."""
        missing, malformed = self._numbers.missing, self._malformed + self._splitter.oversized
        if missing or malformed:
            self._stream.emit(LinesLost(missing, malformed))


class ChannelTransport:
    """The stream's transport in a worker that can reach the monitor only through its controller."""

    kept: Any = None  # a garbage-collected channel notifies the other side, even from a forked child
    connection = 1

    def __init__(self, channel: Any) -> None:
        self._channel = ChannelTransport.kept = channel

    def send(self, data: bytes) -> int:
        """Accepts everything; raises OSError when the controller is gone."""
        self._channel.send(data)
        return len(data)

    def wait(self, timeout_s: float) -> None:
        """A no-op: the channel is never full."""

    def close(self) -> None:
        """A no-op: the channel closes with the worker."""


def without_group(nodeid: str) -> str:
    """Strip the "@group" that --dist loadgroup appends: pytest cannot find a test by such a node id."""
    at = nodeid.rfind("@")
    return nodeid[:at] if at > max(nodeid.rfind("]"), nodeid.find("::")) > 0 else nodeid


def renamer(config: Any) -> Callable[[str], str]:
    """Return the function that turns this process's node ids into those the monitor knows."""
    grouped = getattr(config.option, "loadgroup", False) or getattr(config.option, "dist", "") == "loadgroup"
    return without_group if grouped else str


def _sources() -> Dict[str, str]:
    """Source of every module that a remote worker needs, by name; package names end with a dot."""
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
