"""Reports on the run as a whole: collection, warnings, why it stops and how it ends."""

from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest

from tdd_monitor.plugin import outcomes
from tdd_monitor.plugin.guard import Guard, guarded
from tdd_monitor.plugin.marks import Marks
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.protocol.codec import shorten
from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectError,
    CollectFinish,
    CollectSkip,
    RunCancel,
    RunFinish,
    WarningRaised,
)

# Limits of one line of collected tests: node ids may have thousands of characters, a line at most 1 MiB.
CHUNK_TESTS = 500
CHUNK_CHARS = 100_000


def _chunks(tests: List[CollectedTest]) -> Iterator[Tuple[CollectedTest, ...]]:
    chunk: List[CollectedTest] = []
    chars = 0
    for test in tests:
        chunk.append(test)
        chars += len(test.nodeid) + len(test.file)
        if test.markers or test.thresholds:
            chars += sum([len(name) + 3 for name in test.markers])
            chars += sum([len(each.rule) + 80 for each in test.thresholds])
        if len(chunk) == CHUNK_TESTS or chars > CHUNK_CHARS:
            yield tuple(chunk)
            chunk, chars = [], 0
    if chunk:
        yield tuple(chunk)


class CollectReporter:
    """Pytest plugin in the process whose collection is shown: the only one, or the first worker."""

    def __init__(self, guard: Guard, stream: Stream, rename: Callable[[str], str]) -> None:
        self.guard = guard
        self._stream = stream
        self._rename = rename
        self._deselected = 0

    @guarded
    def pytest_deselected(self, items: List[Any]) -> None:
        """Items deselected by -k, -m and the like."""
        self._deselected += len(items)

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_finish(self, session: Any) -> None:
        """All items, in the order in which they will run."""
        items = session.items
        marks = Marks(self._stream.emit)
        for chunk in _chunks([self._test(item, marks) for item in items]):
            self._stream.emit(Collect(chunk))
        self._stream.emit(CollectFinish(len(items), self._deselected))
        self._stream.flush()

    def _test(self, item: Any, marks: Marks) -> CollectedTest:
        file, line, _ = item.location
        markers, thresholds = marks.of(item)
        number = (line or 0) + 1 if line is not None else 0
        return CollectedTest(self._rename(item.nodeid), str(file), number, markers, thresholds)


class RunReporter:
    """Pytest plugin in the process that decides the exit code: the only one, or the xdist controller."""

    def __init__(self, guard: Guard, stream: Stream, config: Any) -> None:
        self.guard = guard
        self._stream = stream
        self._cancelled = False
        self._terminal = config.pluginmanager.getplugin("terminalreporter")

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_collectreport(self, report: Any) -> None:
        """A file or node that failed or was skipped; xdist reports each only once."""
        if report.failed:
            self._stream.emit(CollectError(report.nodeid, shorten(report.longreprtext)))
        elif report.skipped:
            self._stream.emit(CollectSkip(report.nodeid, outcomes.longrepr(report)))

    @guarded
    def pytest_warning_recorded(self, warning_message: Any, nodeid: str, location: Any) -> None:
        """A warning; may be dropped, since a suite can raise millions."""
        category = getattr(warning_message.category, "__name__", "")
        self._stream.emit_sample(
            WarningRaised(
                shorten(str(warning_message.message), 4096),
                category,
                nodeid or "",
                str(warning_message.filename or ""),
                int(warning_message.lineno or 0),
            )
        )

    @guarded
    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        """Ctrl+C, but also pytest.exit, collection errors and xdist's --maxfail."""
        kind, detail = excinfo.type.__name__, str(excinfo.value)
        if kind == "Interrupted":
            reason = "collection" if "during collection" in detail else _stop_reason(detail)
        else:
            reason = "interrupt"
        self._cancel(reason, detail or kind)

    @guarded
    def pytest_internalerror(self, excrepr: Any) -> None:
        """pytest or a plugin failed."""
        self._cancel("internal", str(excrepr))

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_sessionfinish(self, session: Any) -> None:
        """-x, --maxfail and session timeouts stop the run without calling a hook."""
        for attribute in ("shouldfail", "shouldstop"):
            detail = getattr(session, attribute, False)
            if detail:
                self._cancel(_stop_reason(str(detail)), str(detail))

    def _cancel(self, reason: str, detail: str) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._stream.emit(RunCancel(reason, shorten(detail, 4096)))
            self._stream.flush()

    def finish(self, exitstatus: int) -> None:
        """Send the last line."""
        self._stream.emit(RunFinish(exitstatus, self._counts(), self._stream.dropped))

    def _counts(self) -> Dict[str, int]:
        stats = getattr(self._terminal, "stats", {})
        counts = {}
        for category, reports in stats.items():
            number = sum(1 for report in reports if getattr(report, "count_towards_summary", True))
            if category and number:
                counts[str(category)] = number
        return counts


def _stop_reason(detail: str) -> str:
    if "timeout" in detail:
        return "timeout"
    return "interrupt" if "keyboard" in detail else "maxfail"


def warn(stream: Stream, message: str) -> None:
    """Send a message of our own, shown among pytest's warnings."""
    stream.emit(WarningRaised(shorten(message, 4096), "tdd-monitor"))
    stream.flush()
