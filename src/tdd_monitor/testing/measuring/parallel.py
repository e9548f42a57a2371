"""Coordinates which test holds which resource, across all workers of a run.

A held resource is a locked file: no two tests in any process can hold it at once, and it is released
when its worker dies.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from tdd_monitor.testing.postgres import system
from tdd_monitor.testing.postgres.places import make_private

from .file_lock import locked

_KEPT_S = 86400.0
_PAUSE_S = 0.01
_RESOURCE = "resource-"
_HOLDER = ".holder"


class ParallelTestManager:
    """Coordinates the tests of one run: one holder per resource, at most `max_concurrent` tests at a time.

    Managers with the same `directory` share their state; by default that is one per run: a process
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
            return frozenset(holding.test_id for holding in self._holders(self._slots()).values())

    @property
    def resource_locks(self) -> Mapping[str, str]:
        """The test that holds each resource now, in all workers; a copy."""
        with self._mutex():
            files = [file for file in self._directory.glob(f"{_RESOURCE}*") if file.suffix != _HOLDER]
            holders = self._holders(files).values()
            return {holding.resource: holding.test_id for holding in holders}

    async def allocate_resources(self, test_id: str, resources: Iterable[str]) -> bool:
        """Allocate all of the resources or none: False when one is in use or too many tests are active.

        A test may allocate more later, but no resource twice.
        """
        return self.try_allocate(test_id, resources)

    async def release_resources(self, test_id: str) -> None:
        """Release everything that the test holds."""
        self.release(test_id)

    def try_allocate(self, test_id: str, resources: Iterable[str]) -> bool:
        """Like `allocate_resources`, for synchronous tests."""
        named = dict(self._named(resources))
        with self._mutex():
            locks: dict[Path, int] = {}
            complete = False
            try:
                complete = self._lock_all(named, locks) and (
                    test_id in self._held or self._lock_one(self._slots(), locks)
                )
                for file in locks if complete else ():
                    _Holding(test_id, named.get(file, "")).write(file)
            except BaseException:
                complete = False
                raise
            finally:
                if not complete:
                    _unlock(locks)
        if complete:
            self._held.setdefault(test_id, {}).update(locks)
        return complete

    def wait_and_allocate(self, test_id: str, resources: Iterable[str], wait_s: float) -> bool:
        """Retry `try_allocate` for up to `wait_s` seconds. Blocks."""
        wanted, deadline_s = list(resources), time.monotonic() + wait_s
        while not self.try_allocate(test_id, wanted):
            if time.monotonic() >= deadline_s:
                return False
            time.sleep(_PAUSE_S)
        return True

    def release(self, test_id: str) -> None:
        """Like `release_resources`, for synchronous tests."""
        if test_id not in self._held:
            return
        with self._mutex():  # these files are only opened under the mutex, so they can be removed
            locks = self._held.pop(test_id)
            _unlock(locks)
            for file in locks:
                file.unlink(missing_ok=True)
                _holder_file(file).unlink(missing_ok=True)

    def why_busy(self, resources: Iterable[str]) -> str:
        """Describe what blocks a test that needs the resources; "" when nothing does."""
        named = dict(self._named(resources))
        with self._mutex():
            holders = self._holders(named)
            active = self._holders(self._slots())
        taken = [f"{named[file]} is held by {holding.test_id}" for file, holding in holders.items()]
        if len(active) >= self.max_concurrent:
            taken.append(f"{len(active)} tests are active, of {self.max_concurrent} at most")
        return "; ".join(taken)

    def _mutex(self) -> AbstractContextManager[None]:
        return locked(self._directory / "mutex")

    def _slots(self) -> list[Path]:
        return [self._directory / f"slot-{number}" for number in range(self.max_concurrent)]

    def _named(self, resources: Iterable[str]) -> Iterator[tuple[Path, str]]:
        for name in resources:
            yield self._directory / (_RESOURCE + hashlib.sha256(name.encode()).hexdigest()[:24]), name

    def _lock_all(self, files: Iterable[Path], locks: dict[Path, int]) -> bool:
        for file in files:
            descriptor = system.try_lock(file)
            if descriptor is None:
                return False
            locks[file] = descriptor
        return True

    def _lock_one(self, files: Iterable[Path], locks: dict[Path, int]) -> bool:
        return any(self._lock_all([file], locks) for file in files)

    def _holders(self, files: Iterable[Path]) -> dict[Path, "_Holding"]:
        """Holders of the files. Call under the mutex: it locks free files for a moment."""
        holders = {}
        for file in files:
            descriptor = system.try_lock(file)
            if descriptor is not None:
                system.unlock(descriptor)
            else:
                with suppress(OSError):
                    holders[file] = _Holding.read(file)
        return holders


@dataclass(frozen=True)
class _Holding:
    """The note next to a locked file; a slot has no resource."""

    test_id: str
    resource: str

    def write(self, file: Path) -> None:
        _holder_file(file).write_text(json.dumps([self.test_id, self.resource]), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "_Holding":
        return cls(*json.loads(_holder_file(file).read_text(encoding="utf-8")))


def _unlock(locks: Mapping[Path, int]) -> None:
    for descriptor in locks.values():
        system.unlock(descriptor)


def _holder_file(file: Path) -> Path:
    # Not in the locked file: on Windows no other process can read that.
    return file.with_name(file.name + _HOLDER)


def _directory_of_run() -> Path:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"process-{os.getpid()}"
    home = Path(tempfile.gettempdir()) / f"tdd-monitor-parallel-{system.user_id()}"
    try:
        make_private(home)
    except PermissionError as error:
        raise PermissionError(
            error.errno,
            "it is not a directory that only this user can write to, so tdd-monitor does not use it."
            " Remove it, or set TMPDIR to a directory of your own",
            str(home),
        ) from None
    for old in home.iterdir():
        with suppress(OSError):
            if time.time() - old.lstat().st_mtime > _KEPT_S:
                shutil.rmtree(old, ignore_errors=True)
    return home / run
