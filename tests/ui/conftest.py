"""A control that has played a stream, and the application on top of it."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from support.settling import settle_when_idle
from support.styles import share_parsed_styles

from tdd_monitor.config import Settings
from tdd_monitor.protocol.events import Line
from tdd_monitor.runner.control import Control, Listener
from tdd_monitor.ui import app as app_module
from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.verdict import Board


class PlayedControl:
    """A control that applies the given lines and records the requests it gets. Its clock stands still."""

    def __init__(self, lines: Iterable[Line] = (), can_run: bool = True) -> None:
        self.board = Board()
        self.title = "tests/"
        self.output: deque[str] = deque()
        self.notices: deque[str] = deque()
        self.can_run = can_run
        self.watching = can_run
        self.requests: list[tuple[str, object]] = []
        self._listeners: list[Listener] = []
        self.play(lines)

    def play(self, lines: Iterable[Line]) -> None:
        """Receive lines."""
        for line in lines:
            delta = self.board.apply(line)
            for listener in self._listeners:
                listener(delta)

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def now_ns(self) -> int:
        return self.board.session.now_ns + 180_000_000

    async def start(self) -> None:
        self.requests.append(("start", None))

    async def stop(self) -> None:
        self.requests.append(("stop", None))

    def rerun(self, nodeids: Sequence[str] | None, reason: str) -> None:
        self.requests.append((reason, None if nodeids is None else list(nodeids)))

    def kill(self) -> None:
        self.requests.append(("kill", None))

    def cancel(self) -> None:
        self.requests.append(("cancel", None))

    def toggle_watching(self) -> None:
        self.watching = not self.watching

    def accept(self, nodeids: Sequence[str]) -> None:
        self.requests.append(("accept", list(nodeids)))

    def command(self, nodeids: Sequence[str]) -> str:
        return "pytest " + " ".join(nodeids)


_: Control = PlayedControl()  # mypy checks that it is one

MakeApp = Callable[..., MonitorApp]


@pytest.fixture(autouse=True)
def _settles_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pilot continues as soon as the event loop has nothing left to do."""
    settle_when_idle(monkeypatch)


@pytest.fixture(autouse=True)
def _shares_parsed_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each application parses the same style sheets: a tenth of its start."""
    share_parsed_styles(monkeypatch)


@pytest.fixture
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    """Create the application on a control that has played these lines.

    Frames come when a test asks for them (`repaint`), not by the clock, and notifications stay: a test must
    not depend on when a timer ticks.
    """
    monkeypatch.setattr(app_module, "FRAMES_PER_SECOND", 0.01)
    monkeypatch.setattr("textual.notifications.Notification.time_left", 3600.0, raising=False)

    def make(lines: Iterable[Line] = (), theme: str = "textual-dark", can_run: bool = True) -> MonitorApp:
        return MonitorApp(PlayedControl(lines, can_run), Settings(root=tmp_path, theme=theme))

    return make
