"""Batches saves: debounced, and only files whose contents changed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from .contents import FileContents
from .filter import SaveFilter
from .tree import Changes, Polling, native_watch, snapshot

LONGEST_BURST_S = 1.0


async def saves(
    wanted: SaveFilter, debounce_ms: int, notify: Callable[[str], None]
) -> AsyncIterator[list[Path]]:
    """Batches of watched files, each `debounce_ms` after its last change, at most 1 s after its first.

    Where the system cannot watch the tree, it is polled about once a second and `notify` gets a message.
    """
    changes: Changes = asyncio.Queue()
    contents = FileContents()
    before = await asyncio.to_thread(snapshot, wanted) or {}
    contents.add_existing(before)

    async def watch() -> None:
        reason = await native_watch(wanted, changes).run()
        notify(
            f"Saves in {wanted.root} are polled about once a second: {reason}. "
            "Restart tdd-monitor to watch them directly."
        )
        await Polling(wanted, changes).run(before)

    watching = asyncio.create_task(watch())
    try:
        while True:
            paths = await _burst(changes, debounce_ms / 1000, watching)
            paths = await asyncio.to_thread(wanted.without_ignored, paths)
            batch = await asyncio.to_thread(contents.changed, paths)
            if batch:
                yield batch
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _burst(changes: Changes, silence_s: float, watching: "asyncio.Task[None]") -> list[Path]:
    """The next change and all that follow it with less than `silence_s` in between.

    Re-raises the exception that ended `watching`.
    """
    first = asyncio.create_task(changes.get())
    try:
        await asyncio.wait((first, watching), return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            watching.result()
        paths = {await first}
    finally:
        first.cancel()
    # Not nested in asyncio.timeout: before Python 3.12, wait_for ignores it when a change arrives just then.
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_BURST_S
    with contextlib.suppress(TimeoutError):
        while (left_s := end - loop.time()) > 0:
            paths.add(await asyncio.wait_for(changes.get(), min(silence_s, left_s)))
    return sorted(paths)
