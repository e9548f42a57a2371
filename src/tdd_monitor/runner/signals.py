"""The signals that ask the monitor to end: from the keyboard, a closed terminal, a dropped connection."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ending_signals(act: Callable[[], None], *numbers: signal.Signals) -> Iterator[None]:
    """Call `act` in the event loop for each SIGTERM, SIGHUP and whatever else is in `numbers`.

    What is ignored stays ignored: nohup sets SIGHUP so.
    """
    loop = asyncio.get_running_loop()
    wanted = [signal.SIGTERM, *numbers]
    if hasattr(signal, "SIGHUP"):
        wanted.append(signal.SIGHUP)
    handled = []
    with suppress(NotImplementedError):  # Windows has no signal handlers in its loop
        for number in wanted:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, act)
                handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
