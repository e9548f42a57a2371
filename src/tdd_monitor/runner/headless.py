"""One run without a screen and without the loop."""

import signal

from tdd_monitor.session import completeness
from tdd_monitor.session.model import RunState

from .engine import Engine
from .run import INTERNAL_ERROR
from .selection import Selection
from .signals import ending_signals

RECORDING_FAILED = 1
INCOMPLETE = 76  # EX_PROTOCOL: no exit code of pytest's


async def run_headless(engine: Engine) -> int:
    """One run of everything without a screen; returns pytest's exit code. Raises ServerError.

    Where pytest says 0: 3 when it died without a word (os._exit(0) in a test), `INCOMPLETE` when not
    everything that it did has arrived, 1 when the recording stopped.
    Ctrl+C, SIGTERM and SIGHUP interrupt pytest, which then ends its report; a second one kills it.
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
