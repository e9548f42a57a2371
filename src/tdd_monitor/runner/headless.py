"""A single run without a screen or a loop."""

import signal

from tdd_monitor.session import completeness
from tdd_monitor.session.model import RunState

from .engine import Engine
from .run import INTERNAL_ERROR
from .selection import Selection
from .signals import ending_signals

RECORDING_FAILED = 1
INCOMPLETE = 76  # EX_PROTOCOL: pytest does not use it


async def run_headless(engine: Engine) -> int:
    """Run all tests once without a screen; returns pytest's exit code. Raises ServerError.

    When pytest exits with 0: 3 if it died silently (os._exit(0) in a test), `INCOMPLETE` if some of
    its events never arrived, 1 if the recording failed.
    Ctrl+C, SIGTERM and SIGHUP interrupt pytest, which then finishes its report; a second one kills it.
    """
    await engine.open()
    with ending_signals(engine.cancel, signal.SIGINT):
        try:
            code = await engine.run_once(Selection("run"))
        finally:
            await engine.stop()
    run = engine.board.session.run
    if code == 0 and run is not None and run.state is RunState.LOST:
        return INTERNAL_ERROR
    if code == 0 and run is not None and completeness.problems(run):
        return INCOMPLETE
    if code == 0 and engine.recording_failed:
        return RECORDING_FAILED
    return code
