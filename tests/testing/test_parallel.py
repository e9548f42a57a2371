"""Resources of parallel tests: one holder each, in whatever process."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tdd_monitor.testing import ParallelTestManager
from tdd_monitor.testing.postgres import system

from .conftest import Run

HOLD_AND_WAIT = """
import sys
from pathlib import Path
from tdd_monitor.testing import ParallelTestManager
manager = ParallelTestManager(directory=Path(sys.argv[1]))
assert manager.try_allocate("test of a worker", ["mailbox"])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_worker(tmp_path: Path) -> "subprocess.Popen[str]":
    """A process that holds the mailbox."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_AND_WAIT, str(tmp_path)], stdin=-1, stdout=-1, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


async def test_all_or_nothing(tmp_path: Path) -> None:
    one, two = ParallelTestManager(directory=tmp_path), ParallelTestManager(directory=tmp_path)
    assert await one.allocate_resources("a", ["x", "y"])
    assert not await two.allocate_resources("b", ["z", "y"])
    assert await two.allocate_resources("c", ["z"])
    assert one.active_tests == two.active_tests == {"a", "c"}
    await one.release_resources("a")
    assert await two.allocate_resources("b", ["x", "y"])


async def test_no_more_than_max_concurrent(tmp_path: Path) -> None:
    manager = ParallelTestManager(max_concurrent=2, directory=tmp_path)
    got = await asyncio.gather(*(manager.allocate_resources(name, []) for name in "abc"))
    assert got == [True, True, False]
    assert "2 tests are active, of 2 at most" in manager.why_busy([])


async def test_a_test_may_hold_more_but_nothing_twice(tmp_path: Path) -> None:
    manager = ParallelTestManager(directory=tmp_path)
    assert await manager.allocate_resources("a", ["x", "x"])
    assert not await manager.allocate_resources("a", ["y", "x"])
    assert await manager.allocate_resources("a", ["y"])
    with pytest.raises(ValueError, match="1 or more"):
        ParallelTestManager(max_concurrent=0)


def test_other_processes_hold_too_and_their_death_frees(
    tmp_path: Path, other_worker: "subprocess.Popen[str]"
) -> None:
    manager = ParallelTestManager(directory=tmp_path)
    assert not manager.try_allocate("mine", ["mailbox"])
    assert manager.why_busy(["mailbox"]) == "mailbox is held by test of a worker"
    other_worker.kill()
    other_worker.communicate()
    assert manager.why_busy(["mailbox"]) == ""
    assert manager.try_allocate("mine", ["mailbox"])


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files, in which anybody can write."""
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _name(temporary: Path) -> Path:
    return temporary / f"tdd-monitor-parallel-{system.user_id()}"


def _old_tree(directory: Path) -> Path:
    old = directory / "old"
    old.mkdir(parents=True)
    (old / "file").touch()
    os.utime(old, (1, 1))
    return old


@pytest.mark.skipif(system.WINDOWS, reason="there everybody has a temporary directory of his own")
@pytest.mark.parametrize("kind", ["link", "open to all", "file"])
def test_a_directory_that_another_user_could_control_is_rejected_and_left_alone(
    temporary: Path, kind: str
) -> None:
    old = _old_tree(temporary / "elsewhere" if kind == "link" else _name(temporary))
    if kind == "link":
        _name(temporary).symlink_to(temporary / "elsewhere")
    elif kind == "open to all":
        _name(temporary).chmod(0o777)
    else:
        shutil.rmtree(_name(temporary))
        _name(temporary).touch()
    with pytest.raises(PermissionError, match="set TMPDIR"):
        ParallelTestManager()
    assert kind == "file" or (old / "file").exists()


@pytest.mark.skipif(not system.is_root(), reason="only root can give a directory away")
def test_a_directory_of_another_user_is_rejected_and_left_alone(temporary: Path) -> None:
    old = _old_tree(_name(temporary))
    _name(temporary).chmod(0o700)
    os.chown(_name(temporary), 65534, 65534)
    with pytest.raises(PermissionError, match="set TMPDIR"):
        ParallelTestManager()
    assert (old / "file").exists()


def test_old_files_in_its_own_directory_are_deleted_and_links_are_not_followed(temporary: Path) -> None:
    old = _old_tree(_name(temporary))
    _name(temporary).chmod(0o700)
    strangers = _old_tree(temporary / "elsewhere")
    link = _name(temporary) / "link"
    link.symlink_to(strangers)
    os.utime(link, (1, 1), follow_symlinks=False)
    assert ParallelTestManager().try_allocate("mine", ["mailbox"])
    assert not old.exists()
    assert (strangers / "file").exists()


def test_the_fixture_in_several_workers(run_pytest: Run) -> None:
    module = """
import pathlib, pytest, time
@pytest.mark.parallel_resources("mailbox", wait_s=20)
@pytest.mark.parametrize("n", range(4))
def test_alone(parallel_safe_test, n):
    test_id, resources = parallel_safe_test
    assert resources == ["mailbox"] and f"[{n}]" in test_id
    mark = pathlib.Path("busy")
    mark.touch(exist_ok=False)
    time.sleep(0.02)
    mark.unlink()

@pytest.fixture
def taken(parallel_test_manager):
    assert parallel_test_manager.try_allocate("another", ["printer"])
    yield
    parallel_test_manager.release("another")

@pytest.mark.parallel_resources("printer")
def test_busy(taken, parallel_safe_test): pass
"""
    result = run_pytest("-p", "xdist", "-n", "2", "-rs", "--strict-markers", test_it=module)
    assert "4 passed, 1 skipped" in result.stdout, result.stdout
    assert "printer is held by another" in result.stdout
