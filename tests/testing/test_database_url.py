"""Which database the tests may use; DATABASE_URL only when the project says so."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tdd_monitor.testing import DatabaseUnreachableError
from tdd_monitor.testing.databases.server import DatabaseServer
from tdd_monitor.testing.databases.url import DatabaseUrl, find_database_url, with_database

from .conftest import Run

PRODUCTION = {"DATABASE_URL": "postgresql://prod/shop"}
OWN = {"TDD_MONITOR_DATABASE_URL": "postgresql://own/shop"}


@pytest.mark.parametrize(
    ("settings", "environment", "expected"),
    [
        ("", {}, None),
        ("", PRODUCTION, None),
        ("use_database_url = false", PRODUCTION, None),
        ("use_database_url = true", {}, None),
        ("use_database_url = true", PRODUCTION, "postgresql://prod/shop"),
        ("use_database_url = true", PRODUCTION | OWN, "postgresql://own/shop"),
        ("", PRODUCTION | OWN, "postgresql://own/shop"),
        ("database_url = 'postgresql+asyncpg://set/shop'", PRODUCTION | OWN, "postgresql://set/shop"),
    ],
)
def test_the_order(tmp_path: Path, settings: str, environment: dict[str, str], expected: str | None) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.tdd-monitor]\n{settings}\n")
    found = find_database_url(tmp_path, environment)
    assert (found and found.url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:pw@host:1/shop?sslmode=require", "postgresql://me:pw@host:1/x?sslmode=require"),
        (
            "postgresql://postgres@/postgres?host=/tmp/a b&port=5",
            "postgresql://postgres@/x?host=/tmp/a b&port=5",
        ),
        ("postgres://host", "postgres://host/x"),
    ],
)
def test_the_url_of_another_database_of_the_server(url: str, expected: str) -> None:
    assert with_database(url, "x") == expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql://me:se:cret@host:1/shop?sslmode=require",
            "postgresql://me:***@host:1/shop?sslmode=require",
        ),
        ("postgresql://me@host/shop?password=secret&port=5", "postgresql://me@host/shop?password=***&port=5"),
        ("postgresql:///shop?host=/tmp", "postgresql:///shop?host=/tmp"),
    ],
)
def test_a_message_shows_the_url_without_its_password(url: str, shown: str) -> None:
    assert DatabaseUrl(url, "").shown == shown


TWO_TESTS = """
import pytest
@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(20))
async def test_it(tdd_test_context, n): pass

def test_plain(tdd_sync_context): pass

def test_own(tdd_database_url): pass
"""


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """A server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def callers(listener: socket.socket) -> Iterator[socket.socket]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield listener.accept()[0]


def test_a_server_that_does_not_answer_is_waited_for_once_and_named(
    run_pytest: Run, silent_server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent_port = silent_server.getsockname()[1]
    url = f"postgresql://me:secret@127.0.0.1:{silent_port}/shop"
    monkeypatch.setenv("TDD_MONITOR_DATABASE_URL", url)
    wait = "from tdd_monitor.testing.connections import warm\n"
    wait += "from tdd_monitor.testing.databases import server\n"
    wait += "server.CONNECT_TIMEOUT_S = warm.CONNECT_TIMEOUT_S = 0.2\n"
    result = run_pytest("-q", "--tb=line", conftest=wait, test_it=TWO_TESTS)
    assert "22 errors" in result.stdout, result.stdout
    told = (
        f"Cannot connect to postgresql://me:***@127.0.0.1:{silent_port}/shop, from TDD_MONITOR_DATABASE_URL"
    )
    assert result.stdout.count(told) >= 22
    assert f"{told}: no answer within 0.2 s" in result.stdout
    assert "secret" not in result.stdout
    calls = [*callers(silent_server)]
    for call in calls:
        call.close()
    assert len(calls) == 1


def test_a_server_is_tried_again_after_some_seconds() -> None:
    server, now_s = DatabaseServer(DatabaseUrl("postgresql://host/shop", "a test")), time.monotonic()
    with pytest.raises(DatabaseUnreachableError, match="refused"), server.reaching():
        raise ConnectionRefusedError("refused")
    with pytest.raises(DatabaseUnreachableError, match=r"refused.*No new attempt"), server.reaching():
        pytest.fail("was tried again")
    tried = []
    with server.reaching(now_s=lambda: now_s + 100):
        tried.append(1)
    with server.reaching():
        tried.append(2)
    assert tried == [1, 2]


def test_an_error_from_the_server_gets_a_note_with_the_source_of_its_url() -> None:
    server = DatabaseServer(DatabaseUrl("postgresql://me:secret@host/shop", "a test"))
    for _ in range(2):
        with pytest.raises(ValueError, match="no such database") as caught, server.reaching():
            raise ValueError("no such database")
        assert caught.value.__notes__ == ["The server is postgresql://me:***@host/shop, from a test."]
