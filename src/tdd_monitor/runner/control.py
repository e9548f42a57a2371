"""The interface of a screen or a report to its source: a live engine or a replayed recording."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from tdd_monitor.session.model import Delta
from tdd_monitor.verdict import Board

Listener = Callable[[Delta], None]


class Control(Protocol):
    """A source of events and the requests it accepts."""

    board: Board
    title: str  # what is watched, for the header: paths, or the recording's name
    output: deque[str]  # the newest lines that pytest itself printed
    notices: deque[str]  # problems outside the tests, and what to do; newest last
    can_run: bool  # False for a replay: nothing can be run again

    @property
    def watching(self) -> bool:
        """Files are watched and saves rerun."""

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` in the event loop after each line that changed the session."""

    def now_ns(self) -> int:
        """The stream's current time: monotonic when live, the recording's own in a replay."""

    async def start(self) -> None:
        """Start the first run and the file watcher, or the replay. Returns at once."""

    async def stop(self) -> None:
        """Shut down; a run in progress is interrupted, terminated after 5 s, killed after 10 s."""

    def rerun(self, nodeids: Sequence[str] | None, reason: str) -> None:
        """Request a run of these items, None for all; a run in progress is cancelled first."""

    def cancel(self) -> None:
        """Interrupt the run in progress; a second call kills it."""

    def kill(self) -> None:
        """Kill the run in progress, also while `stop` waits for it."""

    def toggle_watching(self) -> None:
        """Switch rerunning on save off and on."""

    def accept(self, nodeids: Sequence[str]) -> None:
        """Make the last figures of these items their baseline; a notice tells the result."""

    def command(self, nodeids: Sequence[str]) -> str:
        """The shell command that runs these items in plain pytest."""
