"""Watches the project's files while the engine lives: switched on and off, with its notices."""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tdd_monitor.config import Settings
from tdd_monitor.runner.journal import Journal
from tdd_monitor.runner.selection import shown_names

from .filter import SaveFilter
from .watcher import saves
from .written import WrittenByTests


class SaveWatch:
    """Calls `on_saves` with the saved files while `wanted` is true."""

    def __init__(
        self, settings: Settings, journal: Journal, on_saves: Callable[[Sequence[Path]], None], wanted: bool
    ) -> None:
        self.wanted = wanted
        self.written = WrittenByTests()
        self._settings = settings
        self._journal = journal
        self._on_saves = on_saves
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start watching."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def toggle(self) -> None:
        """Switch on or off; switching on after a failure tries again."""
        self.wanted = not self.wanted
        if self.wanted and (self._task is None or self._task.done()):
            self.start()

    def sort(self, changed: Sequence[Path]) -> tuple[list[Path], list[Path]]:
        """The saves to act on at once, and data changes to rerun for when the run has finished."""
        at_once, later, own = self.written.sort(changed)
        if own:
            self._journal.keep_notice(
                f"The tests write {shown_names(own)} themselves, so changes during a run are ignored. "
                "Add it to watch_ignore to ignore all changes."
            )
        return at_once, later

    async def _watch(self) -> None:
        settings = self._settings
        ours = frozenset(path for path in (self._journal.recording,) if path is not None)
        try:
            wanted = await asyncio.to_thread(
                SaveFilter, settings.root, settings.watch_ignore, settings.watch_include, ours
            )
            async for changed in saves(wanted, settings.debounce_ms, self._journal.keep_notice):
                if self.wanted:
                    self._on_saves(changed)
        except Exception as error:  # noqa: BLE001 - reported, and can be switched on again
            self.wanted = False
            reason = traceback.format_exception_only(error)[-1].strip()
            self._journal.keep_notice(
                f"Saves in {settings.root} are no longer watched: {reason}. Press w to watch again; "
                "a, f, t and r still run tests."
            )
