"""Kills at any moment: nothing is left behind, and the next user gets a server."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tdd_monitor.testing.postgres import (
    ServerStartError,
    acquire_server,
    cluster,
    find_binaries,
    server_status,
    system,
)
from tdd_monitor.testing.postgres.cluster import run_as
from tdd_monitor.testing.postgres.messages import Running
from tdd_monitor.testing.postgres.places import find_home

Ask = Callable[..., object]
HoldElsewhere = Callable[[], "subprocess.Popen[str]"]
Postmaster = Callable[[], psutil.Process]
Ended = Callable[[psutil.Process], bool]


def supervisor() -> psutil.Process:
    running = Running.read(find_home().state_file)
    assert running is not None
    return psutil.Process(running.supervisor_pid)


@contextlib.contextmanager
def endless_query(url: str) -> Iterator[None]:
    psql = [str(find_binaries().program("psql")), url, "-c", "DO $$ BEGIN LOOP END LOOP; END $$"]
    client = subprocess.Popen(psql, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        client.kill()
        client.wait()


@pytest.fixture
def crashed_data(cache: Path, postmaster: Postmaster, ended: Ended) -> Path:
    """The data directory after server and supervisor were killed together."""
    lease = acquire_server()
    data = server_status().data_directory
    victims = [supervisor(), postmaster()]
    for victim in victims:
        victim.suspend()
    for victim in victims:
        victim.kill()
    for victim in victims:
        assert ended(victim)
    lease.close()
    assert (data / "postmaster.pid").exists()
    return data


def test_the_server_stops_after_a_kill_9_of_its_only_user(
    cache: Path, hold_elsewhere: HoldElsewhere, postmaster: Postmaster, ended: Ended
) -> None:
    holder = hold_elsewhere()
    assert holder.stdout is not None
    assert any(line.startswith("postgresql:") for line in holder.stdout)
    server = postmaster()
    holder.kill()
    assert ended(server)


def test_a_kill_9_of_the_starter_at_any_moment_does_not_block_the_next_start(
    empty_cache: Path, hold_elsewhere: HoldElsewhere, ask: Ask
) -> None:
    for last_line in ("Preparing", "Starting"):
        holder = hold_elsewhere()
        assert holder.stdout is not None
        assert any(line.startswith(last_line) for line in holder.stdout)
        holder.kill()
    with acquire_server() as lease:
        assert ask(lease.address) == 1


def test_the_server_ends_with_its_supervisor_and_the_next_user_restarts_it(
    cache: Path, ask: Ask, postmaster: Postmaster, ended: Ended
) -> None:
    with acquire_server() as lost:
        supervisor().kill()
        # Immediately, while the orphaned server may still be shutting down.
        with acquire_server() as lease:
            assert ask(lease.address) == 1
            assert lease.address == lost.address
            assert len(server_status().users) == 1


@pytest.mark.skipif(not system.LINUX, reason="only Linux ends a process with its parent")
def test_a_kill_9_of_the_supervisor_stops_the_server(
    cache: Path, postmaster: Postmaster, ended: Ended
) -> None:
    with acquire_server():
        server = postmaster()
        supervisor().kill()
        assert ended(server)


def test_the_next_user_restarts_a_killed_server_with_its_data(
    cache: Path, ask: Ask, postmaster: Postmaster, ended: Ended
) -> None:
    with acquire_server() as lost:
        ask(lost.address, "CREATE TABLE kept AS SELECT 7 AS number")
        # With synchronous_commit off, a crash may lose the last commits.
        ask(lost.address, "CHECKPOINT")
        server = postmaster()
        server.kill()
        assert ended(server)
        with acquire_server() as lease:
            assert ask(lease.address, "SELECT number FROM kept") == 7


@pytest.mark.skipif(not system.LINUX, reason="only Linux reparents orphans to the supervisor")
def test_a_busy_backend_does_not_outlive_a_killed_server(
    cache: Path, ask: Ask, postmaster: Postmaster, ended: Ended
) -> None:
    with acquire_server() as lease, endless_query(lease.address.url()):
        server = postmaster()
        while not (busy := [each for each in server.children() if "DO" in " ".join(each.cmdline())]):
            pass
        server.kill()
        assert ended(server)
        with acquire_server() as again:
            assert ask(again.address) == 1
        assert ended(busy[0])


def test_a_terminated_supervisor_shuts_its_server_down_cleanly(
    cache: Path, postmaster: Postmaster, ended: Ended
) -> None:
    with acquire_server():
        data = server_status().data_directory
        server, owner = postmaster(), supervisor()
        owner.terminate()
        assert ended(server)
        assert ended(owner)
        assert not (data / "postmaster.pid").exists()


def test_a_stale_pid_file_that_names_another_process_is_harmless(crashed_data: Path, ask: Ask) -> None:
    pid_file = crashed_data / "postmaster.pid"
    # Under the server's account: otherwise PostgreSQL would not take it for a server.
    other = subprocess.Popen(["sleep", "60"], **run_as(find_home().account))
    try:
        _, _, rest = pid_file.read_text().partition("\n")
        pid_file.write_text(f"{other.pid}\n{rest}")
        with acquire_server() as lease:
            assert ask(lease.address) == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_pid_file_truncated_by_a_full_disk_is_ignored(crashed_data: Path, ask: Ask) -> None:
    (crashed_data / "postmaster.pid").write_text("")
    with acquire_server() as lease:
        assert ask(lease.address) == 1


def test_a_server_that_someone_else_started_on_the_data_is_left_alone(
    cache: Path, postmaster: Postmaster, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    with acquire_server():
        server, owner = postmaster(), supervisor()
        find_home().state_file.unlink()
        owner.suspend()
        with monkeypatch.context() as patch:
            patch.setattr(cluster, "_ORPHAN_PATIENCE_S", 0.1)
            patch.setattr(system, "try_lock", lambda _: os.open(os.devnull, os.O_RDONLY))
            patch.setattr(system, "unlock", os.close)
            with pytest.raises(ServerStartError, match=f"process {server.pid}"):
                acquire_server()
        assert server.is_running()
        owner.resume()
    assert ended(server)


def test_data_from_before_a_machine_crash_is_recreated(
    crashed_data: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "boot_identity", lambda: "the next start of the machine")
    heard: list[str] = []
    with acquire_server(heard.append) as lease:
        assert ask(lease.address) == 1
    assert any("machine went down" in line for line in heard)
