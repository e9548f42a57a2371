"""Detects changes below a directory: by the system's notifications, else by polling about once a second.

Uses watchdog, not watchfiles: the latter needs anyio, whose pytest plugin delays the start of every plain
`pytest` in the environment by 0.14 s.
"""

import asyncio
import contextlib
import errno
import os
import struct
import sys
import time
from pathlib import Path
from typing import Protocol

from .filter import SaveFilter

CHECK_ROOT_S = 1.0
MIN_POLL_S = 1.0
MAX_POLL_SHARE = 0.1  # the most of the time spent polling
_EVENT = struct.Struct("iIII")  # inotify_event: watch, mask, cookie, length of the name
_READ_BYTES = 1 << 16

Changes = asyncio.Queue[Path]


class TreeWatch(Protocol):
    """Puts every changed path into a queue, possibly several times."""

    async def run(self) -> str:
        """Watch until that becomes impossible; returns the reason."""


class Polling:
    """Compares every file's time, size and inode. Works on any system; the tree may come and go."""

    def __init__(self, wanted: SaveFilter, changes: Changes) -> None:
        self._wanted = wanted
        self._changes = changes

    async def run(self, known: dict[Path, tuple[int, int, int]] | None = None) -> str:
        """Poll until cancelled; `known` is the previous snapshot."""
        while True:
            started = time.perf_counter()
            found = await asyncio.to_thread(snapshot, self._wanted)
            took_s = time.perf_counter() - started
            if found is not None:  # else the project is missing: compare when it is back
                if known is not None:
                    for path in known.keys() | found.keys():
                        if known.get(path) != found.get(path):
                            self._changes.put_nowait(path)
                known = found
            await asyncio.sleep(max(MIN_POLL_S, took_s / MAX_POLL_SHARE))


def snapshot(wanted: SaveFilter) -> dict[Path, tuple[int, int, int]] | None:
    """Time, size and inode of every watched file; None when the directory does not exist. Blocks."""
    if not wanted.root.is_dir():
        return None
    found = {}
    for _, files in wanted.walk():
        for path in files:
            with contextlib.suppress(OSError):
                status = path.lstat()
                found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


class Notifications:
    """Linux: one inotify watch per watched directory, none for ignored ones."""

    def __init__(self, wanted: SaveFilter, changes: Changes) -> None:
        self._wanted = wanted
        self._changes = changes
        self._directories: dict[int, Path] = {}
        self._new: asyncio.Queue[Path | None] = asyncio.Queue()

    async def run(self) -> str:
        """Watch until the tree is replaced or the system allows no more watches."""
        from watchdog.observers import inotify_c

        self._add_watch = inotify_c.inotify_add_watch
        mask = inotify_c.InotifyConstants
        self._mask = (
            *(mask.IN_CLOSE_WRITE | mask.IN_MODIFY | mask.IN_CREATE | mask.IN_DELETE, mask.IN_MOVED_FROM),
            *(mask.IN_MOVED_TO, mask.IN_ATTRIB, mask.IN_ONLYDIR),
        )
        self._overflow, self._is_directory = mask.IN_Q_OVERFLOW, mask.IN_ISDIR
        self._appears = mask.IN_CREATE | mask.IN_MOVED_TO
        self._descriptor = inotify_c.inotify_init()
        if self._descriptor < 0:
            return "no more inotify instances are allowed (fs.inotify.max_user_instances)"
        loop = asyncio.get_running_loop()
        try:
            os.set_inheritable(self._descriptor, False)
            os.set_blocking(self._descriptor, False)
            identity = _identity(self._wanted.root)
            if not await asyncio.to_thread(self._watch, self._wanted.root, False):
                return "no more inotify watches are allowed (fs.inotify.max_user_watches)"
            loop.add_reader(self._descriptor, self._read)
            while _identity(self._wanted.root) == identity:
                with contextlib.suppress(TimeoutError):
                    directory = await asyncio.wait_for(self._new.get(), CHECK_ROOT_S)
                    if directory is None:
                        return "too many changes at once"
                    if not await asyncio.to_thread(self._watch, directory, True):
                        return "no more inotify watches are allowed (fs.inotify.max_user_watches)"
            return "the directory was removed or replaced"
        finally:
            loop.remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _watch(self, top: Path, is_new: bool) -> bool:
        """Watch `top` and its subdirectories; False at the limit of inotify watches. Blocks."""
        import ctypes

        if is_new and not self._wanted.without_ignored([top]):
            return True
        mask = 0
        for part in self._mask:
            mask |= part
        for directory, _ in self._wanted.walk(top):
            number = self._add_watch(self._descriptor, os.fsencode(directory), mask)
            if number >= 0:
                self._directories[number] = directory
            elif ctypes.get_errno() in (errno.ENOSPC, errno.ENOMEM):
                return False
            # Listed only now: later changes arrive as events.
            for path in _files(directory) if is_new else ():
                self._report(path)
        return True

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except OSError:
            return
        at = 0
        while at < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
            at += _EVENT.size + length
            directory = self._directories.get(number)
            if mask & self._overflow:
                self._new.put_nowait(None)
            elif directory is not None and name:
                path = directory / os.fsdecode(name)
                if not mask & self._is_directory:
                    self._report(path)
                elif mask & self._appears and self._wanted.enters(path):
                    self._new.put_nowait(path)

    def _report(self, path: Path) -> None:
        if self._wanted(path):
            self._changes.put_nowait(path)


def _files(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            return [directory / entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _identity(directory: Path) -> tuple[int, int] | None:
    try:
        status = directory.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Observed:
    """macOS and Windows: the system watches whole trees, through watchdog."""

    def __init__(self, wanted: SaveFilter, changes: Changes) -> None:
        self._wanted = wanted
        self._changes = changes

    async def run(self) -> str:
        """Watch until the tree is replaced."""
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        loop, wanted, changes = asyncio.get_running_loop(), self._wanted, self._changes

        class Handler(FileSystemEventHandler):
            """Passes events from watchdog's thread to the event loop."""

            def on_any_event(self, event: FileSystemEvent) -> None:
                """Runs in watchdog's thread."""
                if event.is_directory or event.event_type not in ("created", "modified", "moved", "deleted"):
                    return
                for name in (event.src_path, event.dest_path):
                    path = Path(os.fsdecode(name)) if name else None
                    if path is not None and wanted(path):
                        with contextlib.suppress(RuntimeError):  # the loop is already closed
                            loop.call_soon_threadsafe(changes.put_nowait, path)

        observer = Observer()
        observer.schedule(Handler(), str(wanted.root), recursive=True)
        identity = _identity(wanted.root)
        await asyncio.to_thread(observer.start)
        try:
            while _identity(wanted.root) == identity:  # noqa: ASYNC110 (there is no event for it)
                await asyncio.sleep(CHECK_ROOT_S)
            return "the directory was removed or replaced"
        finally:
            observer.stop()


def native_watch(wanted: SaveFilter, changes: Changes) -> TreeWatch:
    """The native watch of this system."""
    return (Notifications if sys.platform.startswith("linux") else Observed)(wanted, changes)
