"""Records what pytest and its plugins print around the tests: a coverage table, a seed, a reason for exit.

Failures, errors and the summary line are omitted: other events report them.
"""

from collections import deque
from typing import Any, Callable, Deque, Dict, Generator, List

import pytest

from tdd_monitor.plugin.guard import Guard, guarded
from tdd_monitor.plugin.pytest_internals import PytestInternals
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.protocol.codec import shorten
from tdd_monitor.protocol.events import Printed

# The end matters most: it contains the reason for an exit code.
HEAD_CHARS = 32_000
TAIL_CHARS = 96_000
HEADER_CHARS = 8_000
# Lines of pytest's own header, which `hello` covers.
_KNOWN = ("rootdir:", "configfile:", "testpaths:", "plugins:", "cachedir:")
# Methods of the terminal reporter that print what other events report.
_REPORTED_ELSEWHERE = ("summary_errors", "summary_failures")
# Values of -r: failed, errors, and warnings (which are reported separately).
_FAILURES_ONLY = frozenset("fEw")


class Excerpt:
    """The start and the end of a text of any length, in bounded memory."""

    def __init__(self) -> None:
        self._head: List[str] = []
        self._head_chars = 0
        self._tail: Deque[str] = deque()
        self._tail_chars = 0
        self._cut_chars = 0

    def add(self, text: str) -> None:
        """Append to the text."""
        free_chars = max(0, HEAD_CHARS - self._head_chars)
        if free_chars:
            self._head.append(text[:free_chars])
            self._head_chars += len(self._head[-1])
        rest = text[free_chars:]
        if rest:
            self._tail.append(rest)
            self._tail_chars += len(rest)
        while self._tail_chars > TAIL_CHARS and len(self._tail) > 1:
            dropped = len(self._tail.popleft())
            self._tail_chars -= dropped
            self._cut_chars += dropped

    def text(self) -> str:
        """The kept text, with a mark where text was cut."""
        mark = ["\n... [%s characters cut] ...\n" % format(self._cut_chars, ",")] if self._cut_chars else []
        return shorten("".join([*self._head, *mark, *self._tail]), HEAD_CHARS + TAIL_CHARS)


class _Tee:
    """Wraps a file and calls back with everything written to it."""

    def __init__(self, file: Any, on_write: Callable[[str], None]) -> None:
        self._file = file
        self._on_write = on_write

    def write(self, text: str) -> Any:
        written = self._file.write(text)
        self._on_write(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class TerminalText:
    """Pytest plugin in the process that has the terminal: the only one, or the xdist controller."""

    def __init__(self, guard: Guard, stream: Stream, config: Any, internals: PytestInternals) -> None:
        self.guard = guard
        self._stream = stream
        self._internals = internals
        self._config = config
        self._excerpt = Excerpt()
        self._muted = 0
        self._restore: List[Callable[[], None]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_report_header(self) -> Generator[None, Any, Any]:
        """Lines that plugins print above the tests, such as the seed of a random order."""
        lines = yield
        self._report_header(lines)
        return lines

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_report_collectionfinish(self) -> Generator[None, Any, Any]:
        """Lines that plugins print below "collected 3 items"."""
        lines = yield
        self._report_header(lines)
        return lines

    @guarded
    def _report_header(self, found: List[Any]) -> None:
        lines: List[str] = []
        for each in reversed(found):  # the order in which pytest prints them
            lines += [each] if isinstance(each, str) else [str(line) for line in each]
        lines = [line for line in lines if line and not line.startswith(_KNOWN)]
        if lines:
            self._stream.emit(Printed("header", shorten("\n".join(lines) + "\n", HEADER_CHARS)))

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_collection_finish(self) -> None:
        """With --collect-only, the list of tests is the only output."""
        if self._config.option.collectonly:
            self._capture()

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_sessionfinish(self) -> None:
        """Output from here on is about the run as a whole."""
        self._capture()

    def _capture(self) -> None:
        # Looked up late, because plugins may replace the reporter.
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        restore = None if self._restore else self._internals.redirect(terminal, self._tee)
        if restore is None:
            return
        self._restore.append(restore)
        names = list(_REPORTED_ELSEWHERE)
        if not self._config.option.collectonly:
            names.append("summary_stats")
        if _FAILURES_ONLY.issuperset(getattr(terminal, "reportchars", "")):
            names.append("short_test_summary")
        for name in names:
            self._mute(terminal, name)

    def _tee(self, file: Any) -> Any:
        return _Tee(file, self._on_write)

    def _mute(self, terminal: Any, name: str) -> None:
        method = getattr(terminal, name, None)
        if not callable(method):
            return
        own: Dict[str, Any] = vars(terminal)
        before = own.get(name)

        def muted(*args: Any, **kwargs: Any) -> Any:
            self._muted += 1
            try:
                return method(*args, **kwargs)
            finally:
                self._muted -= 1

        def restore() -> None:
            if before is None:
                del own[name]
            else:
                own[name] = before

        own[name] = muted
        self._restore.append(restore)

    @guarded
    def _on_write(self, text: str) -> None:
        if not self._muted:
            self._excerpt.add(text)

    def finish(self) -> None:
        """Restore the terminal reporter and report its text."""
        while self._restore:
            self._restore.pop()()
        self._report_summary()

    @guarded
    def _report_summary(self) -> None:
        text = self._excerpt.text()
        if text.strip():
            self._stream.emit(Printed("summary", text.strip("\n") + "\n"))
