"""One run without a screen and without the loop."""

import asyncio
import contextlib
import signal

from tdd_monitor.session.model import RunState

from .engine import Engine
from .selection import Selection


async def run_headless(engine: Engine) -> int:
    """One run of everything without a screen; returns pytest's exit code. Raises ServerError.

    Ctrl+C and SIGTERM interrupt pytest, which then ends its report; a second one kills it.
    """
    await engine.open()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in its loop
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, engine.cancel)
    try:
        code = await engine.run_once(Selection("run"))
    finally:
        await engine.stop()
    run = engine.board.session.run
    if code == 0 and run is not None and run.state is RunState.LOST:
        return 3  # ended as if all were well, without a word: os._exit(0) in a test
    return code
