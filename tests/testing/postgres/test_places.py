"""Where the server's files go, on restrictive machines."""

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.caches import copy_data

from tdd_monitor.testing.postgres import (
    StorageError,
    acquire_server,
    places,
    server_status,
    stop_server,
    system,
)
from tdd_monitor.testing.postgres.places import find_home

Ask = Callable[..., object]

as_root = pytest.mark.skipif(not system.is_root(), reason="needs root")
FREE_INTERPRETER = Path("/usr/bin/python3")


@contextlib.contextmanager
def small_disk(directory: Path, size: str) -> Iterator[None]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0711", "tmpfs", str(directory)], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        yield
    finally:
        stop_server()
        subprocess.run(["umount", str(directory)], check=True)


def test_a_long_path_with_spaces_works(empty_cache: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    name = "a path with spaces " + "x" * 180
    with monkeypatch.context() as patch:
        patch.setenv("TDD_MONITOR_CACHE_DIR", str(empty_cache / name))
        with acquire_server() as lease:
            assert ask(lease.address) == 1
            assert lease.address.socket_directory is not None
            assert len(lease.address.socket_directory) < 60
            assert server_status().data_directory.parent == empty_cache / name
        stop_server()


@pytest.fixture
def read_only_cache(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory for this test, and a cache that cannot be created."""
    (empty_cache / "file").touch()
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(empty_cache))
        patch.setenv("TDD_MONITOR_CACHE_DIR", str(empty_cache / "file" / "cache"))
        yield empty_cache


def test_a_temporary_directory_replaces_a_read_only_cache(read_only_cache: Path) -> None:
    home = find_home()
    assert home.temporary
    assert home.directory.parent == read_only_cache
    assert home == find_home()


@as_root
def test_a_cache_that_the_servers_account_cannot_enter_is_not_used_and_keeps_its_mode(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = empty_cache / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(empty_cache))
    monkeypatch.setenv("TDD_MONITOR_CACHE_DIR", str(private / "cache"))
    assert find_home().temporary
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert not (private / "cache").exists()


def test_another_users_temporary_directory_is_not_used(read_only_cache: Path) -> None:
    find_home().directory.chmod(0o777)
    with pytest.raises(StorageError, match=r"another user created it.*TDD_MONITOR_CACHE_DIR"):
        find_home()


def test_the_sockets_are_private(cache: Path) -> None:
    with acquire_server() as lease:
        assert lease.address.socket_directory is not None
        sockets = Path(lease.address.socket_directory)
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert stat.S_IMODE(find_home().state_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(sockets.parent.stat().st_mode) & 0o066 == 0


@as_root
def test_a_full_disk_at_the_first_start_is_reported(empty_cache: Path) -> None:
    with small_disk(empty_cache, "8m"), pytest.raises(StorageError, match=f"disk is full.*{empty_cache}"):
        acquire_server()


@as_root
def test_a_full_disk_at_a_later_start_is_reported(empty_cache: Path, data_stock: Path, ask: Ask) -> None:
    with small_disk(empty_cache, "80m"):
        copy_data(data_stock, empty_cache)
        acquire_server().close()
        stop_server()
        # Files of the last start would free enough space for the next one.
        find_home().log_file.unlink()
        with contextlib.suppress(OSError), (empty_cache / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        with pytest.raises(StorageError, match="disk is full"):
            acquire_server()
        (empty_cache / "filler").unlink()
        with acquire_server() as lease:
            assert ask(lease.address) == 1


@as_root
@pytest.mark.skipif(not FREE_INTERPRETER.exists(), reason="no interpreter that every user may run")
def test_an_ordinary_user_needs_no_other_account(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = places._unprivileged_account()
    os.chown(empty_cache, account.user_id, account.group_id)
    monkeypatch.setattr(sys, "executable", str(FREE_INTERPRETER))
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(account.group_id)
            os.setuid(account.user_id)
            with acquire_server():
                os.write(write_end, f"{find_home().account} {server_status().running}".encode())
        except BaseException as error:  # noqa: BLE001 - reported to the parent
            os.write(write_end, repr(error).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as said:
        assert said.read() == "None True"
    os.waitpid(child, 0)
    # As root; the other account's server stops by itself.
    while list(empty_cache.glob("postgres-*/postmaster.pid")):
        pass
    os.chown(empty_cache, 0, 0)


@as_root
def test_root_leaves_the_cache_of_another_user_alone(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = empty_cache / "theirs"
    theirs.mkdir(mode=0o755)
    os.chown(theirs, 65_534, 65_534)
    monkeypatch.setattr(tempfile, "tempdir", str(empty_cache))
    monkeypatch.setenv("TDD_MONITOR_CACHE_DIR", str(theirs))
    assert find_home().temporary
    assert not list(theirs.iterdir())
