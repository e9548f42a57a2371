"""Runs suspected tests again in fresh processes, to decide whether they have become slower."""

from collections.abc import Callable
from dataclasses import replace

from tdd_monitor.config import Settings
from tdd_monitor.history import rows
from tdd_monitor.history.rows import Figures
from tdd_monitor.session import queries
from tdd_monitor.session.model import Session
from tdd_monitor.verdict import Board, confirmation

from .engine import Engine
from .pytest_process.launch import Target
from .selection import Selection

# Each test runs twice in its process, and the second time counts: the first one may pay for imports and
# caches that other tests pay for in a whole run.
REPEAT = 2


async def confirm(settings: Settings, target: Target, board: Board, progress: Callable[[str], None]) -> None:
    """Update `board.judgement` if it suspects any test of having become slower.

    Runs the suspected tests and some controls in five to seven fresh processes without xdist's workers.
    Raises ServerError.
    """
    judgement = board.judgement
    planned = confirmation.plan(judgement) if judgement is not None else None
    if judgement is None or planned is None:
        return
    arguments = Selection("", planned.nodeids).arguments(
        queries.rootdir(board.session), target.cwd, target.paths
    )
    alone = ("-n0",) if any(w.role == "worker" for w in board.session.workers.values()) else ()
    target = replace(target, paths=tuple(arguments), pytest_args=(*target.pytest_args, *alone), repeat=REPEAT)
    rounds = []
    for number in range(1, planned.rounds + 1):
        progress(f"Measuring {len(planned.candidates)} suspected again: {number} of {planned.rounds}")
        rounds.append(await _round(settings, target))
    board.judgement = confirmation.decide(judgement, planned, rounds)


async def _round(settings: Settings, target: Target) -> dict[str, Figures]:
    engine = Engine(replace(settings, history="off"), target)
    try:
        await engine.open()
        await engine.run_once(Selection("confirmation"))
    finally:
        await engine.stop()
    return _passed(engine.board.session)


def _passed(session: Session) -> dict[str, Figures]:
    """The figures of the last repetition of each test that passed in all of them."""
    return {
        item.nodeid: rows.figures(item.record)
        for item in session.items.values()
        if item.record is not None
        and item.record.attempt == REPEAT
        and {record.outcome for record in (*item.earlier, item.record)} == {"passed"}
    }
