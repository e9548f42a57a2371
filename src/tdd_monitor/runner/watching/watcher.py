"""Batches of saves: what changed, once it has been quiet for a moment, and only if the content is another."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from .contents import FileContents
from .filter import SaveFilter
from .tree import Changes, Polling, native_watch, snapshot

LONGEST_BURST_S = 1.0


async def saves(
    wanted: SaveFilter, debounce_ms: int, tell: Callable[[str], None]
) -> AsyncIterator[list[Path]]:
    """Batches of files that matter, each `debounce_ms` after its last change, a second after its first.

    Where the system cannot watch the tree, it is looked at every second; `tell` gets a sentence then.
    """
    changes: Changes = asyncio.Queue()
    contents = FileContents()
    before = await asyncio.to_thread(snapshot, wanted) or {}
    contents.know(before)

    async def watch() -> None:
        reason = await native_watch(wanted, changes).run()
        tell(
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
    """The next change, and all that follow it without a silence of `silence_s` between them.

    Raises what has ended `watching`.
    """
    first = asyncio.create_task(changes.get())
    try:
        await asyncio.wait((first, watching), return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            watching.result()
        paths = {await first}
    finally:
        first.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_BURST_S):
            while True:
                paths.add(await asyncio.wait_for(changes.get(), silence_s))
    return sorted(paths)
