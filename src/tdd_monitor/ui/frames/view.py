"""What a frame shows: the board (or a frozen copy of it) and what was computed from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tdd_monitor.verdict import Alert, Board

from .overview import Overview


@dataclass(frozen=True, slots=True)
class View:
    """All that header, banner, table and panels read."""

    board: Board
    now_ns: int = 0
    overview: Overview = field(default_factory=Overview)
    alerts: tuple[Alert, ...] = ()
    title: str = ""
    notices: tuple[str, ...] = ()
    output: Sequence[str] = ()  # what pytest printed; the control's own list, which grows
    can_run: bool = True
    watching: bool = False
    paused: bool = False
    elapsed_ns: int = 0  # of the run; never decreases
