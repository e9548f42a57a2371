"""Which saves matter: Python, SQL and test configuration, not caches, not what git ignores."""

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import watchfiles

SUFFIXES = (".py", ".pyi", ".sql")
CONFIGURATION = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", ".env")
_IGNORED_DIRECTORIES = (
    *watchfiles.DefaultFilter.ignore_dirs,
    "venv",
    "build",
    "dist",
    ".ruff_cache",
    ".eggs",
)


class SaveFilter(watchfiles.DefaultFilter):
    """Leaves out caches, virtual environments, build output and whatever the settings say."""

    def __init__(self, root: Path, ignore: Sequence[str]) -> None:
        super().__init__(ignore_dirs=_IGNORED_DIRECTORIES)
        self._root = root
        self._ignore = tuple(ignore)

    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        """True when a change of `path` is a save that may call for tests."""
        name = path.rpartition("/")[2]
        if not (name.endswith(SUFFIXES) or name in CONFIGURATION):
            return False
        try:
            relative = Path(path).relative_to(self._root).as_posix()
        except ValueError:
            relative = path
        if any(fnmatch(relative, pattern) for pattern in self._ignore):
            return False
        return super().__call__(change, path)


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
    # watchfiles calls `step` what others call debounce: silence that ends a batch.
    async for changes in watchfiles.awatch(
        root, watch_filter=SaveFilter(root, ignore), step=max(1, debounce_ms), debounce=5_000
    ):
        paths = sorted({Path(path) for _, path in changes})
        ignored = await asyncio.to_thread(git_ignored, root, paths)
        batch = seen.changed([path for path in paths if path not in ignored])
        if batch:
            yield batch
