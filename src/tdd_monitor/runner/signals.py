"""The signals that end the monitor: from the keyboard, a closed terminal, a dropped connection."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ending_signals(act: Callable[[], None], *numbers: signal.Signals) -> Iterator[None]:
    """Call `act` in the event loop on SIGTERM, SIGHUP and the signals in `numbers`.

    Signals that are ignored stay ignored, such as SIGHUP under nohup.
    """
    loop = asyncio.get_running_loop()
    wanted = [signal.SIGTERM, *numbers]
    if hasattr(signal, "SIGHUP"):
        wanted.append(signal.SIGHUP)
    handled = []
    with suppress(NotImplementedError):  # Windows event loops have no signal handlers
        for number in wanted:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, act)
                handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
