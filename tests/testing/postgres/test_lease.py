"""Starting, joining and leaving the one server."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tdd_monitor.testing.postgres import (
    ServerAddress,
    acquire_server,
    address,
    find_binaries,
    server_status,
)

Ask = Callable[..., object]
HoldElsewhere = Callable[[], "subprocess.Popen[str]"]
Postmaster = Callable[[], psutil.Process]
Ended = Callable[[psutil.Process], bool]


def read_url(holder: "subprocess.Popen[str]") -> str:
    assert holder.stdout is not None
    return next(line.strip() for line in holder.stdout if line.startswith("postgresql:"))


def test_the_first_user_starts_the_server_and_is_informed_of_slow_steps(empty_cache: Path, ask: Ask) -> None:
    heard: list[str] = []
    with acquire_server(heard.append) as lease:
        assert ask(lease.address) == 1
    assert [line.split()[0] for line in heard] == ["Preparing", "Starting"]


def test_the_second_user_joins_the_first(cache: Path) -> None:
    with acquire_server() as first, acquire_server() as second:
        assert first.address == second.address
        assert server_status().users == (os.getpid(), os.getpid())


def test_the_server_stops_by_itself_after_its_last_user(
    cache: Path, ask: Ask, postmaster: Postmaster, ended: Ended
) -> None:
    first, second = acquire_server(), acquire_server()
    server = postmaster()
    first.close()
    assert ask(second.address) == 1
    second.close()
    assert ended(server)
    assert not server_status().running


def test_processes_that_start_at_once_share_one_server(cache: Path, hold_elsewhere: HoldElsewhere) -> None:
    holders = [hold_elsewhere() for _ in range(5)]
    assert len({read_url(holder) for holder in holders}) == 1
    assert set(server_status().users) == {holder.pid for holder in holders}


def test_a_user_that_arrives_while_the_server_stops_gets_a_server(
    cache: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    monkeypatch.setenv("TDD_MONITOR_POSTGRES_GRACE_S", "0")
    for _ in range(5):
        with acquire_server() as lease:
            assert ask(lease.address) == 1


def test_a_forked_child_does_not_keep_the_server_running(
    cache: Path, postmaster: Postmaster, ended: Ended
) -> None:
    lease = acquire_server()
    server = postmaster()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    lease.close()
    assert ended(server)
    os.close(write_end)
    os.close(read_end)
    assert os.waitpid(child, 0)[1] == 0


def test_the_settings_suit_tests_and_collation_is_the_same_everywhere(cache: Path, ask: Ask) -> None:
    with acquire_server() as lease:
        shown = {name: ask(lease.address, f"SHOW {name}") for name in ("fsync", "jit", "autovacuum")}
        assert shown == {"fsync": "off", "jit": "off", "autovacuum": "on"}
        assert ask(lease.address, "SHOW listen_addresses") == ""
        assert ask(lease.address, "SELECT upper('é') || ('B' < 'a')") == "Étrue"


def test_libpq_accepts_the_url(cache: Path) -> None:
    with acquire_server() as lease:
        command = [str(find_binaries().program("psql")), lease.address.url("template1")]
        command += ["-Atc", "SELECT current_database()"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "template1\n"


def test_sqlalchemy_accepts_the_url(cache: Path) -> None:
    async def ask_by(engine: AsyncEngine) -> object:
        async with engine.connect() as connection:
            answer = await connection.scalar(text("SELECT current_database()"))
        await engine.dispose()
        return answer

    with acquire_server() as lease:
        url = make_url(lease.address.url("template1")).set(drivername="postgresql+asyncpg")
        assert asyncio.run(ask_by(create_async_engine(url))) == "template1"


def test_special_characters_in_a_url_are_quoted() -> None:
    assert ServerAddress("/tmp/a b&c", 5432).url("x/y?") == (
        "postgresql://postgres@/x%2Fy%3F?host=/tmp/a%20b%26c&port=5432"
    )
    assert ServerAddress("127.0.0.1", 5433).url() == "postgresql://postgres@127.0.0.1:5433/postgres"


def test_importing_the_package_loads_none_of_its_modules() -> None:
    place = Path(address.__file__).parents[1]
    script = f"import sys; sys.path.append({str(place)!r}); import postgres; print(len(sys.modules))"
    counts = [
        int(subprocess.check_output([sys.executable, "-I", "-S", "-c", code], text=True))
        for code in (script, script.replace("import postgres", "import importlib, typing"))
    ]
    assert counts[0] == counts[1] + 1
