"""Which saves matter: Python, SQL and test configuration, not caches, not what git ignores.

With watchdog, not watchfiles: the latter needs anyio, whose pytest plugin makes every plain `pytest` of
the environment start 0.14 s later.
"""

import asyncio
import contextlib
import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

SUFFIXES = (".py", ".pyi", ".sql")
CONFIGURATION = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", ".env")
IGNORED_DIRECTORIES = frozenset(
    (
        *("__pycache__", ".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "site-packages"),
        *(".idea", "node_modules", ".mypy_cache", ".pytest_cache", ".hypothesis", ".ruff_cache"),
        *("build", "dist", ".eggs"),
    )
)
_CHANGES = frozenset(("created", "modified", "moved", "deleted"))


class SaveFilter:
    """Leaves out caches, virtual environments, build output and whatever the settings say."""

    def __init__(self, root: Path, ignore: Sequence[str]) -> None:
        self._root = root
        self._ignore = tuple(ignore)

    def __call__(self, path: Path) -> bool:
        """True when a change of `path` is a save that may call for tests."""
        if not (path.name.endswith(SUFFIXES) or path.name in CONFIGURATION):
            return False
        if path.name.startswith((".#", "#")):  # an editor's lock and auto-save files
            return False
        try:
            relative = path.relative_to(self._root)
        except ValueError:
            relative = path
        if not IGNORED_DIRECTORIES.isdisjoint(relative.parts[:-1]):
            return False
        return not any(fnmatch(relative.as_posix(), pattern) for pattern in self._ignore)


class _Handler(FileSystemEventHandler):
    """Hands what watchdog's thread sees to the event loop."""

    def __init__(self, wanted: SaveFilter, queue: "asyncio.Queue[Path]") -> None:
        self._wanted = wanted
        self._queue = queue
        self._loop = asyncio.get_running_loop()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called in watchdog's thread."""
        if event.is_directory or event.event_type not in _CHANGES:
            return
        for name in (event.src_path, event.dest_path):
            path = Path(os.fsdecode(name)) if name else None
            if path is not None and self._wanted(path):
                with contextlib.suppress(RuntimeError):  # the loop has just been closed
                    self._loop.call_soon_threadsafe(self._queue.put_nowait, path)


def git_ignored(root: Path, paths: Sequence[Path]) -> set[Path]:
    """Those of `paths` that git ignores; none where there is no git or no repository."""
    try:
        answer = subprocess.run(
            ["git", "check-ignore", "--stdin", "-z"],
            input="\0".join(map(str, paths)),
            cwd=root,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return set()
    return {Path(path) for path in answer.stdout.split("\0") if path}


class Saves:
    """Tells real saves from touches: a file whose content is the same as before was not saved."""

    def __init__(self) -> None:
        self._digests: dict[Path, bytes] = {}

    def changed(self, paths: Sequence[Path]) -> list[Path]:
        """Those of `paths` with another content than when last asked."""
        found = []
        for path in paths:
            try:
                digest = hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
            except OSError:
                digest = b""
            if self._digests.get(path) != digest:
                self._digests[path] = digest
                found.append(path)
        return found


async def saves(root: Path, ignore: Sequence[str], debounce_ms: int) -> AsyncIterator[list[Path]]:
    """Batches of saved files below `root`, each `debounce_ms` after the last change of it.

    Raises OSError when the system allows no more watches.
    """
    seen = Saves()
    queue: asyncio.Queue[Path] = asyncio.Queue()
    observer = Observer()
    observer.schedule(_Handler(SaveFilter(root, ignore), queue), str(root), recursive=True)
    # Walks the whole tree to watch each directory.
    await asyncio.to_thread(observer.start)
    try:
        while True:
            paths = await _burst(queue, debounce_ms / 1000)
            ignored = await asyncio.to_thread(git_ignored, root, paths)
            batch = seen.changed([path for path in paths if path not in ignored])
            if batch:
                yield batch
    finally:
        observer.stop()


async def _burst(queue: "asyncio.Queue[Path]", silence_s: float) -> list[Path]:
    """The next change, and all that follow it without a silence of `silence_s` between them."""
    paths = {await queue.get()}
    with contextlib.suppress(TimeoutError):
        while True:
            paths.add(await asyncio.wait_for(queue.get(), silence_s))
    return sorted(paths)
