"""Assembles the plugin in a process that was asked to report.

In two steps: `activate` before the first conftest is imported, so that database drivers are observed from
their import; the rest at session start, once it is known whether xdist distributes the tests.
"""

import contextlib
import os
import platform
import sys
import time
from typing import Any, Callable, ContextManager, Dict, Generator, List, Optional, Tuple

import pytest

from tdd_monitor.plugin.billing import SharedWork
from tdd_monitor.plugin.fixtures import FixtureClock
from tdd_monitor.plugin.guard import Guard, guarded
from tdd_monitor.plugin.memory import Memory
from tdd_monitor.plugin.observe import observe
from tdd_monitor.plugin.pytest_internals import PytestInternals
from tdd_monitor.plugin.recorder import Instruments, Recorder
from tdd_monitor.plugin.reporter import CollectReporter, RunReporter, warn
from tdd_monitor.plugin.sampler import Sampler
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.plugin.terminal_text import TerminalText
from tdd_monitor.plugin.transport import SocketTransport
from tdd_monitor.protocol import marks
from tdd_monitor.protocol.events import PROTOCOL, Hello

NAME = "tdd-monitor"

# On fork, Python 3.12 counts threads before it runs the parent's hooks, 3.13.0 after.
_MAY_START_AFTER_FORK = sys.version_info < (3, 13)


def activate(config: Any, request: Dict[str, Any]) -> Optional["Activation"]:
    """Connect and register; do nothing and return None when the monitor cannot be reached."""
    try:
        transport = _transport(request)
    except (OSError, ValueError):
        return None
    activation = Activation(config, request, Stream(transport, request.get("worker", "")))
    config.pluginmanager.register(activation, NAME)
    return activation


def _transport(request: Dict[str, Any]) -> Any:
    if request.get("channel") is None:
        return SocketTransport(request["address"])
    from tdd_monitor.plugin.xdist import ChannelTransport

    return ChannelTransport(request["channel"])


class Activation:
    """Pytest plugin that registers the other plugins and handles the end of the run."""

    def __init__(self, config: Any, request: Dict[str, Any], stream: Stream) -> None:
        self._config = config
        self._request = request
        self._stream = stream
        self.guard = Guard()
        self.guard.on_fault = self._on_fault
        self._memory = Memory(request.get("memory", ""))
        self._start_rss_bytes = self._memory.rss()
        self._hello_sent = False
        self._notices: List[str] = []
        self._registry = observe(self._on_notice)
        self._internals = PytestInternals(self._on_notice)
        self._sampler = Sampler(stream, self._memory, self._registry)
        self._recorder: Optional[Recorder] = None
        self._fixtures: Optional[FixtureClock] = None
        self._run: Optional[RunReporter] = None
        self._terminal: Optional[TerminalText] = None
        self._sent_to_terminal = False
        _follow_forks(self)

    def record_metric(self, name: str, value: float) -> None:
        """See `tdd_monitor.plugin.record_metric`."""
        if self._recorder is not None:
            self._recorder.record_metric(name, value)

    def shared_work(self, name: str) -> ContextManager[None]:
        """See `tdd_monitor.plugin.shared_work`."""
        return contextlib.nullcontext() if self._fixtures is None else self._fixtures.shared_work(name)

    def use_shared_work(self, name: str) -> None:
        """See `tdd_monitor.plugin.use_shared_work`."""
        if self._fixtures is not None:
            self._fixtures.use_shared_work(name)

    @staticmethod
    def ignore_thread() -> None:
        """See `tdd_monitor.plugin.ignore_thread`."""
        from tdd_monitor.plugin.observe.tally import acquiring

        acquiring.set(True)

    def _on_fault(self, text: str) -> None:
        warn(self._stream, "The tdd-monitor plugin failed and is disabled for the rest of this run: " + text)

    def _on_notice(self, text: str) -> None:
        """Keep notices until hello is sent: drivers may be imported earlier."""
        self._notices.append(text)
        self._send_notices()

    def _send_notices(self) -> None:
        while self._hello_sent and self._notices:
            warn(self._stream, self._notices.pop(0))

    @guarded
    def pytest_configure(self, config: Any) -> None:
        """Accept our marker with --strict-markers; the toolkit may not be installed there."""
        marks.declare(config)

    @guarded
    def pytest_enter_pdb(self) -> None:
        """--pdb, --trace or breakpoint(): standard input is empty, so the debugger exits at once."""
        from tdd_monitor.plugin.debugger import advice

        if not self._sent_to_terminal:
            self._sent_to_terminal = True
            warn(self._stream, advice(self._recorder.running if self._recorder is not None else ""))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self) -> Generator[None, Any, Any]:
        """Wrap the whole run: the result is the exit code, which plugins may still change."""
        exitstatus = 1
        try:
            result = yield
            exitstatus = int(result or 0)
            return result
        except pytest.UsageError:
            exitstatus = int(pytest.ExitCode.USAGE_ERROR)
            raise
        except SystemExit as error:
            exitstatus = error.code if isinstance(error.code, int) else int(error.code is not None)
            raise
        finally:
            self._end(exitstatus)

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_sessionstart(self) -> None:
        """Register the reporters before collection."""
        role = self._role()
        self._stream.greet(lambda: self._hello(role))
        self._hello_sent = True
        self._send_notices()
        if self._request.get("channel") is None:
            # A worker on another machine has a different "localhost".
            self._registry.servers.report_to(self._stream.emit)
        if role != "worker":
            self._run = RunReporter(self.guard, self._stream, self._config)
            self._register("run", self._run)
            self._terminal = TerminalText(self.guard, self._stream, self._config, self._internals)
            self._register("terminal", self._terminal)
        rename: Callable[[str], str] = str
        if role != "single":
            from tdd_monitor.plugin import xdist

            rename = xdist.renamer(self._config)
        if role == "controller":
            controller = xdist.ControllerReporter(self.guard, self._stream, self._request, rename)
            self._register("controller", controller)
        else:
            self._observe_tests(rename)
        self._sampler.start()

    def _role(self) -> str:
        if self._request.get("worker"):
            return "worker"
        return "controller" if self._config.pluginmanager.hasplugin("dsession") else "single"

    def _observe_tests(self, rename: Callable[[str], str]) -> None:
        work = SharedWork(self._memory, self._registry.charge)
        fixtures = self._fixtures = FixtureClock(
            self.guard, self._stream.emit, work, self._registry.collect, self._internals
        )
        instruments = Instruments(self.guard, self._stream, self._memory, self._registry, self._sampler)
        self._recorder = Recorder(instruments, fixtures, rename)
        self._register("fixtures", fixtures)
        self._register("recorder", self._recorder)
        if self._request.get("repeat"):
            from tdd_monitor.plugin.repeats import Repeats

            self._register("repeats", Repeats(int(self._request["repeat"])))
        if self._request.get("collects", True):
            self._register("collection", CollectReporter(self.guard, self._stream, rename))

    def _register(self, name: str, plugin: Any) -> None:
        self._config.pluginmanager.register(plugin, "%s-%s" % (NAME, name))

    def _hello(self, role: str) -> Hello:
        return Hello(
            PROTOCOL,
            self._request["token"],
            self._request["run"],
            os.getpid(),
            role,
            platform.python_version(),
            pytest.__version__,
            str(self._config.rootpath),
            self._memory.mode,
            tuple(self._memory.unmeasured),
            self._start_rss_bytes,
            self._plugin_names(),
            # pytest-cov registers under this name where it measures.
            self._config.pluginmanager.hasplugin("_cov") or sys.gettrace() is not None,
            time.time_ns(),
        )

    def _plugin_names(self) -> Tuple[str, ...]:
        installed = self._config.pluginmanager.list_plugin_distinfo()
        names = {str(distribution.project_name) for _, distribution in installed}
        return tuple(sorted(names - {NAME}))

    def _end(self, exitstatus: int) -> None:
        try:
            self._registry.enabled = False
            self._sampler.finish()
            if self._run is None and not self._request.get("worker"):
                # No session: --help and the like, or a usage error.
                self._stream.greet(lambda: self._hello("single"))
                self._run = RunReporter(self.guard, self._stream, self._config)
            if self._terminal is not None:
                self._terminal.finish()
            if self._run is not None:
                self._run.finish(exitstatus)
            self._stream.close()
        except Exception as error:  # noqa: BLE001 - not @guarded: the stream must close after a fault too
            self.guard.fault(error)

    def before_fork(self) -> None:
        """Stop the sampler: Python 3.12 and later warn when a process with threads forks."""
        self._sampler.stop()

    def after_fork_in_parent(self) -> None:
        """Restart the sampler; with the next test where Python would still count the new thread."""
        if _MAY_START_AFTER_FORK:
            self._sampler.start()

    def after_fork_in_child(self) -> None:
        """Mute the child, which may continue in pytest: only the process that sent hello may report."""
        self.guard.off = True
        self._sampler.forget()
        self._registry.forget_threads()
        self._stream.mute_child()


_active: Optional[Activation] = None


def _follow_forks(activation: Activation) -> None:
    """Fork hooks cannot be unregistered, so they are registered once and look up the active plugin."""
    global _active
    first, _active = _active is None, activation
    if first and hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lambda: _at_fork("before_fork"),
            after_in_parent=lambda: _at_fork("after_fork_in_parent"),
            after_in_child=lambda: _at_fork("after_fork_in_child"),
        )


def _at_fork(moment: str) -> None:
    getattr(_active, moment)()
