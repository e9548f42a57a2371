"""What a screen or a report needs of whatever feeds it: a live engine or a replayed recording."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from tdd_monitor.session.model import Delta
from tdd_monitor.verdict import Board

Listener = Callable[[Delta], None]


class Control(Protocol):
    """A source of events, and what can be asked of it."""

    board: Board
    title: str  # what is watched, for the header: paths, or the recording's name
    output: deque[str]  # the newest lines that pytest itself printed
    notices: deque[str]  # what went wrong around the run, and what to do; newest last
    can_run: bool  # False for a replay: nothing can be run again

    @property
    def watching(self) -> bool:
        """Files are watched and saves rerun."""

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` in the event loop after every line that changed something."""

    def now_ns(self) -> int:
        """The stream's clock now: monotonic when live, the recording's own in a replay."""

    async def start(self) -> None:
        """Begin: the first run, the watching, or the replay. Returns at once."""

    async def stop(self) -> None:
        """End everything; a pytest that is going is interrupted, terminated after 5 s, killed after 10 s."""

    def rerun(self, nodeids: Sequence[str] | None, reason: str) -> None:
        """Ask for a run of these items, None for all; a run that is going is cancelled first."""

    def cancel(self) -> None:
        """Interrupt the run that is going; asked twice, kill it."""

    def kill(self) -> None:
        """Kill the run that is going, also while `stop` waits for its end."""

    def toggle_watching(self) -> None:
        """Switch rerunning on save off and on."""

    def command(self, nodeids: Sequence[str]) -> str:
        """The shell command that runs these items in plain pytest."""
