"""Starting, joining and leaving the one server."""

import asyncio
from pathlib import Path

import asyncpg
import psutil

from tdd_monitor.testing.postgres import ServerAddress, acquire_server, server_status


def ask(address: ServerAddress, query: str = "SELECT 1") -> object:
    async def connect_and_ask() -> object:
        connection = await asyncpg.connect(address.url())
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(connect_and_ask())


def test_the_first_user_starts_the_server_and_hears_what_takes_time(empty_cache: Path) -> None:
    heard: list[str] = []
    with acquire_server(heard.append) as lease:
        assert ask(lease.address) == 1
    assert [line.split()[0] for line in heard] == ["Preparing", "Starting"]


def test_the_second_user_joins_the_first(cache: Path) -> None:
    with acquire_server() as first, acquire_server() as second:
        assert first.address == second.address
        assert len(server_status().users) == 2


def test_the_server_stops_by_itself_after_its_last_user(cache: Path) -> None:
    first, second = acquire_server(), acquire_server()
    pid = server_status().pid
    assert pid is not None
    server = psutil.Process(pid)
    first.close()
    assert ask(second.address) == 1
    second.close()
    server.wait(5)
    assert not server_status().running
