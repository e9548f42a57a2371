"""Which test holds which resource, across all workers of a run.

A held resource is a locked file: two tests cannot have it at once, in whatever processes they run, and
what a dead worker held is free at once.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from tdd_monitor.testing.postgres import system
from tdd_monitor.testing.postgres.places import make_private

from .file_lock import locked

_KEPT_S = 86400.0
_PAUSE_S = 0.01


class ParallelTestManager:
    """Coordinates the tests of one run: no resource has two holders, no more than `max_concurrent` tests.

    All managers with the same `directory` work together; by default those of a run, that is, of a process
    and its pytest-xdist workers.
    """

    def __init__(self, max_concurrent: int = 5, directory: Path | None = None) -> None:
        if max_concurrent < 1:
            raise ValueError(f"max_concurrent must be 1 or more, not {max_concurrent}.")
        self.max_concurrent = max_concurrent
        self._directory = directory or _directory_of_run()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held: dict[str, dict[Path, int]] = {}  # descriptors of locks, by test

    @property
    def active_tests(self) -> frozenset[str]:
        """The tests that hold resources now, in all workers."""
        with self._mutex():
            return frozenset(self._holders(self._slots()).values())

    async def allocate_resources(self, test_id: str, resources: Iterable[str]) -> bool:
        """Give the test all of the resources, or none: False when one is taken or too many tests are active.

        Raises ValueError for a test that already holds some.
        """
        return self.try_allocate(test_id, resources)

    async def release_resources(self, test_id: str) -> None:
        """Take back what the test holds; nothing when it holds nothing."""
        self.release(test_id)

    def try_allocate(self, test_id: str, resources: Iterable[str]) -> bool:
        """As `allocate_resources`, for plain tests."""
        if test_id in self._held:
            raise ValueError(f"{test_id} already holds resources: release them first.")
        with self._mutex():
            locks: dict[Path, int] = {}
            try:
                complete = self._lock_all(self._files(resources), locks) and self._lock_one(
                    self._slots(), locks
                )
                for file in locks if complete else ():
                    _holder_file(file).write_text(test_id, encoding="utf-8")
            except BaseException:
                _unlock(locks)
                raise
            if not complete:
                _unlock(locks)
                return False
        self._held[test_id] = locks
        return True

    def wait_and_allocate(self, test_id: str, resources: Iterable[str], wait_s: float) -> bool:
        """As `try_allocate`, again and again for so many seconds. Blocks."""
        wanted, deadline_s = list(resources), time.monotonic() + wait_s
        while not self.try_allocate(test_id, wanted):
            if time.monotonic() >= deadline_s:
                return False
            time.sleep(_PAUSE_S)
        return True

    def release(self, test_id: str) -> None:
        """As `release_resources`, for plain tests."""
        _unlock(self._held.pop(test_id, {}))

    def why_busy(self, resources: Iterable[str]) -> str:
        """Say who is in the way of a test that wants the resources; "" when nobody is."""
        wanted = list(resources)
        with self._mutex():
            holders = self._holders(self._files(wanted))
            active = self._holders(self._slots())
        taken = [
            f"{name} is held by {holders[file]}" for name, file in self._named(wanted) if file in holders
        ]
        if len(active) >= self.max_concurrent:
            taken.append(f"{len(active)} tests are active, of {self.max_concurrent} at most")
        return "; ".join(taken)

    def _mutex(self) -> AbstractContextManager[None]:
        return locked(self._directory / "mutex")

    def _slots(self) -> list[Path]:
        return [self._directory / f"slot-{number}" for number in range(self.max_concurrent)]

    def _named(self, resources: Iterable[str]) -> list[tuple[str, Path]]:
        return [
            (name, self._directory / ("resource-" + hashlib.sha256(name.encode()).hexdigest()[:24]))
            for name in resources
        ]

    def _files(self, resources: Iterable[str]) -> list[Path]:
        return [file for _, file in self._named(dict.fromkeys(resources))]

    def _lock_all(self, files: list[Path], locks: dict[Path, int]) -> bool:
        for file in files:
            descriptor = system.try_lock(file)
            if descriptor is None:
                return False
            locks[file] = descriptor
        return True

    def _lock_one(self, files: list[Path], locks: dict[Path, int]) -> bool:
        return any(self._lock_all([file], locks) for file in files)

    def _holders(self, files: list[Path]) -> dict[Path, str]:
        """Who holds which of the files. Only under the mutex: it locks what is free for a moment."""
        holders = {}
        for file in files:
            descriptor = system.try_lock(file)
            if descriptor is not None:
                system.unlock(descriptor)
            else:
                with suppress(OSError):
                    holders[file] = _holder_file(file).read_text(encoding="utf-8")
        return holders


def _unlock(locks: Mapping[Path, int]) -> None:
    for descriptor in locks.values():
        system.unlock(descriptor)


def _holder_file(file: Path) -> Path:
    # Not in the locked file: Windows lets nobody else read that.
    return file.with_name(file.name + ".holder")


def _directory_of_run() -> Path:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"process-{os.getpid()}"
    home = Path(tempfile.gettempdir()) / f"tdd-monitor-parallel-{system.user_id()}"
    try:
        make_private(home)
    except PermissionError as error:
        raise PermissionError(
            error.errno,
            "it is not a directory that this user alone can write to, so tdd-monitor leaves it alone."
            " Remove it, or set TMPDIR to a directory of your own",
            str(home),
        ) from None
    for old in home.iterdir():
        with suppress(OSError):
            if time.time() - old.lstat().st_mtime > _KEPT_S:
                shutil.rmtree(old, ignore_errors=True)
    return home / run
