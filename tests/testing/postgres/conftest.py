"""Gives each test a cache directory; most share the data directory that each worker initializes once."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from support.caches import copy_data, new_cache

from tdd_monitor.testing.postgres import ServerAddress, server_status, stop_server

GRACE_S = "0.2"

Ask = Callable[..., object]
HoldElsewhere = Callable[[], "subprocess.Popen[str]"]

HOLDER = """
import sys
from tdd_monitor.testing.postgres import acquire_server
lease = acquire_server(lambda text: print(text, flush=True))
print(lease.address.url(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache of a machine on which no server ever ran; checks that none is left running."""
    cache = new_cache()
    monkeypatch.setenv("TDD_MONITOR_CACHE_DIR", str(cache))
    monkeypatch.setenv("TDD_MONITOR_POSTGRES_GRACE_S", GRACE_S)
    yield cache
    stop_server()
    others = (each for each in psutil.process_iter(["cmdline"]) if each.pid != os.getpid())
    assert not [each for each in others if str(cache) in " ".join(each.info["cmdline"] or ())]
    shutil.rmtree(cache)


@pytest.fixture
def cache(empty_cache: Path, data_stock: Path) -> Iterator[Path]:
    """The cache of a machine on which the server ran before. The test must not delete its data."""
    _move_data(data_stock, empty_cache)
    yield empty_cache
    stop_server()
    _move_data(empty_cache, data_stock)


@pytest.fixture
def used_cache(empty_cache: Path, data_stock: Path) -> Path:
    """Like `cache`, for a test that deletes the data."""
    copy_data(data_stock, empty_cache)
    return empty_cache


@pytest.fixture
def ask() -> Ask:
    """Run one query on a new connection."""

    async def connect_and_ask(address: ServerAddress, query: str) -> object:
        connection = await asyncpg.connect(address.url())
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return lambda address, query="SELECT 1": asyncio.run(connect_and_ask(address, query))


@pytest.fixture
def postmaster() -> Callable[[], psutil.Process]:
    """Return the running server."""

    def find() -> psutil.Process:
        pid = server_status().pid
        assert pid is not None
        return psutil.Process(pid)

    return find


@pytest.fixture
def ended() -> Callable[[psutil.Process], bool]:
    """Wait for a process to end; a zombie counts as ended."""

    def wait(process: psutil.Process) -> bool:
        deadline_s = time.monotonic() + 5
        while time.monotonic() < deadline_s:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    time.sleep(0.002)
                    continue
            return True
        return False

    return wait


@pytest.fixture
def hold_elsewhere() -> Iterator[HoldElsewhere]:
    """Start a process that holds a lease until its standard input ends; it prints progress and URL."""
    holders: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", HOLDER]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holders.append(holder)
        return holder

    yield start
    for holder in holders:
        holder.kill()
        holder.communicate()


def _move_data(source: Path, target: Path) -> None:
    for data in source.glob("postgres-[0-9]*"):
        data.rename(target / data.name)
