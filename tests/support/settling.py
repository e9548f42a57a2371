"""When a screen under test has settled: its event loop has nothing left to do.

Pilot waits until this process has used little CPU for 20 ms, at least twice for each key: slow, and on
a busy machine the process can look idle while work remains. Here the event loop itself shows it: it is
about to sleep.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import pytest

# A timer that is due sooner belongs to the work in progress: the next repaint, a step of an animation.
SOON_S = 0.02
# In all, because some of them never end: a screen's once the application is to exit. The time that work
# takes does not count, so a busy machine waits for the same timers.
LONGEST_S = 0.05
# Textual repaints at 60 Hz; at 1 kHz there is hardly anything to wait for.
REPAINT_S = 0.001

Wait = Callable[..., Awaitable[None]]


def settle_when_idle(patch: pytest.MonkeyPatch) -> None:
    """Let Pilot, and each key that it presses, wait for `settle`; else Textual waits as ever."""
    for name in ("textual.app", "textual.pilot"):
        module = import_module(name)
        if hasattr(module, "wait_for_idle"):
            patch.setattr(module, "wait_for_idle", _settling(module.wait_for_idle))
    patch.setattr("textual.screen.UPDATE_PERIOD", REPAINT_S, raising=False)


def _settling(original: Wait) -> Wait:
    async def wait_for_idle(*arguments: float) -> None:
        selector = getattr(asyncio.get_running_loop(), "_selector", None)
        if hasattr(selector, "select"):
            await settle(selector)
        else:
            await original(*arguments)

    return wait_for_idle


async def settle(selector: Any) -> None:
    """Return when nothing is ready to run, no input has arrived, and no timer is due soon.

    `selector` is that of the running loop. Threads are not waited for; no widget here uses one.
    """
    idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    select, slept_s = selector.select, 0.0

    def watched(timeout_s: float | None = None) -> Any:
        nonlocal slept_s
        if timeout_s is not None and timeout_s <= SOON_S and slept_s < LONGEST_S:
            slept_s += timeout_s
            return select(timeout_s)
        found = select(0)
        if not found and not idle.done():
            idle.set_result(None)
        return found

    selector.select = watched
    try:
        await idle
    finally:
        del selector.select
