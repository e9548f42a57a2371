"""The server's own count of connections: from a real server, harmless to the tests, over with the run."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from rich.console import Console
from support.projects import QUIET, becomes, ended, engine_for, reached, started, write
from support.roles import Role, new_role

from tdd_monitor.config import Settings
from tdd_monitor.protocol.events import ServerSample
from tdd_monitor.protocol.servers import EMBEDDED
from tdd_monitor.reports import console as report
from tdd_monitor.reports.json import document
from tdd_monitor.runner import server_count
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.replay import Replay
from tdd_monitor.runner.server_count import ServerCounts
from tdd_monitor.session.model import RunState

# Until the test below lets it end, or until the run is ended.
HOLDS = """
import asyncio, asyncpg, pathlib

def test_holds_connections():
    async def go():
        kept = [await asyncpg.connect({url!r}) for _ in range(7)]
        async with asyncio.timeout(120):
            while not pathlib.Path("may_end").exists(): await asyncio.sleep(0.01)
        for connection in kept: await connection.close()
    asyncio.run(go())
"""
ADMINISTERS = """
import asyncio, asyncpg

def test_templates_while_the_monitor_counts():
    async def go():
        await (await asyncpg.connect({url!r})).close()  # the monitor uses the credentials of the first
        admin = await asyncpg.connect({admin!r})
        where = "WHERE usename = $1 AND application_name = 'tdd-monitor'"
        counting = "SELECT count(*) FROM pg_stat_activity " + where
        async with asyncio.timeout(20):
            while not await admin.fetchval(counting, {user!r}): await asyncio.sleep(0.02)
        for _ in range(3):
            await admin.execute('CREATE DATABASE "{name}_copy" TEMPLATE "{name}"')
            await admin.execute('DROP DATABASE "{name}_copy"')
        await admin.execute('DROP DATABASE "{name}"')
        await admin.close()
    asyncio.run(go())
"""


@pytest.fixture(scope="module")
def role() -> Iterator[Role]:
    with new_role("SUPERUSER") as role:
        yield role


def holding(root: Path, role: Role, record: Path | None = None) -> Engine:
    """An engine whose test holds seven connections until `root`/may_end exists."""
    return engine_for(write(root, test_holds=HOLDS.format(url=role.url())), *QUIET, record=record)


def is_counted(engine: Engine) -> bool:
    servers = engine.board.session.servers
    return EMBEDDED in servers and servers[EMBEDDED].peak >= 7


async def run_until_counted(root: Path, engine: Engine) -> int:
    """Run it, and let its test end once its connections have been counted; returns the exit code."""
    running = asyncio.create_task(run_headless(engine))
    await becomes(lambda: is_counted(engine))
    (root / "may_end").touch()
    return await running


@pytest.fixture
async def heard() -> list[ServerSample]:
    return []


@pytest.fixture
async def counts(heard: list[ServerSample]) -> AsyncIterator[ServerCounts]:
    counts = ServerCounts(heard.append)
    yield counts
    await counts.stop()


async def test_a_run_reports_the_peak_and_leaves_nothing_behind(tmp_path: Path, role: Role) -> None:
    record = tmp_path / "run.ndjson"
    engine = holding(tmp_path, role, record)
    assert await run_until_counted(tmp_path, engine) == 0
    (server,) = engine.board.session.servers.values()
    assert server.latest.server == EMBEDDED and server.latest.reason == ""
    assert 7 <= server.peak <= server.max_connections
    await becomes(lambda: role.monitors() == 0)

    replay = Replay(Settings(root=tmp_path), record, speed=None)
    await replay.finished()
    assert replay.board.session.servers == engine.board.session.servers

    console = Console(record=True, width=150)
    report.summary(engine.board, console, 0)
    printed = console.export_text()
    assert f"Server {EMBEDDED}: peak {server.peak} of {server.max_connections} connections" in printed
    (reported,) = document(engine.board, 0)["servers"]
    assert (reported["server"], reported["peak_connections"]) == (EMBEDDED, server.peak)
    everything = record.read_text() + printed + json.dumps(document(engine.board, 0))
    assert "server_seen" in everything
    assert role.password not in everything and quote(role.password, safe="") not in everything


async def test_databases_can_be_dropped_and_copied_while_counting(tmp_path: Path, role: Role) -> None:
    name = f"counted {role.user}"
    role.execute(f'DROP DATABASE IF EXISTS "{name}_copy"', f'DROP DATABASE IF EXISTS "{name}"')
    role.execute(f'CREATE DATABASE "{name}"')
    source = ADMINISTERS.format(admin=role.address.url(), url=role.url(name), user=role.user, name=name)
    engine = engine_for(write(tmp_path, test_admin=source))
    assert await run_headless(engine) == 0, "\n".join(engine.output)
    assert engine.board.session.servers[EMBEDDED].peak > 0


@pytest.mark.parametrize("how", ["cancelled", "killed", "left"])
async def test_counting_ends_with_the_run(tmp_path: Path, role: Role, how: str) -> None:
    engine = holding(tmp_path, role)
    async with started(engine) as session:
        await becomes(lambda: is_counted(engine))
        assert role.monitors() == 1
        if how == "cancelled":
            engine.cancel()
            assert (await reached(session, ended(1))).state is RunState.FINISHED
        if how == "killed":
            assert engine._run is not None and engine._run.process is not None
            engine._run.process.kill()
            assert (await reached(session, ended(1))).state is RunState.LOST
        if how != "left":
            await becomes(lambda: role.monitors() == 0)
    await becomes(lambda: role.monitors() == 0)


async def test_a_second_run_counts_again(tmp_path: Path, role: Role) -> None:
    engine = holding(tmp_path, role)
    async with started(engine) as session:
        await becomes(lambda: is_counted(engine))
        (tmp_path / "may_end").touch()
        await reached(session, ended(1))
        (tmp_path / "may_end").unlink()
        engine.rerun(None, "all")
        await reached(session, lambda run: run.number == 2 and is_counted(engine))


async def test_a_role_that_sees_no_other_sessions_still_counts_them(
    counts: ServerCounts, heard: list[ServerSample], role: Role
) -> None:
    role.execute(f'ALTER ROLE "{role.user}" NOSUPERUSER')
    kept = [await asyncpg.connect(role.address.url()) for _ in range(5)]
    blind = await asyncpg.connect(role.url())
    unseen = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1) AND backend_type IS NULL"
    assert await blind.fetchval(unseen, [connection.get_server_pid() for connection in kept]) == 5
    everybody = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    before = await kept[0].fetchval(everybody)
    counts.follow(role.url(), superuser=True)
    await becomes(lambda: bool(heard))
    assert heard[0].max_connections == int(await kept[0].fetchval("SHOW max_connections"))
    assert heard[0].connections >= 6 and abs(heard[0].connections - before) <= 5  # other tests come and go
    for connection in (*kept, blind):
        await connection.close()
    role.execute(f'ALTER ROLE "{role.user}" SUPERUSER')


async def test_the_session_of_the_monitor_is_harmless(
    counts: ServerCounts, heard: list[ServerSample], role: Role
) -> None:
    counts.follow(role.url("no such database"), superuser=True)
    await becomes(lambda: bool(heard))
    columns = "datname, application_name, xact_start IS NULL AS idle"
    (session,) = role.execute(f"SELECT {columns} FROM pg_stat_activity WHERE usename = '{role.user}'")
    assert tuple(session) == ("postgres", "tdd-monitor", True)


async def test_an_unchanged_count_is_reported_once(
    counts: ServerCounts, heard: list[ServerSample], role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_count, "EVERY_S", 0.01)
    counts.follow(role.url(), superuser=True)
    counts.follow(role.url(), superuser=True)
    counted_at = f"SELECT query_start FROM pg_stat_activity WHERE usename = '{role.user}'"
    times: set[str] = set()
    async with asyncio.timeout(60):
        while len(times) < 5:
            times |= {str(row) for row in role.execute(counted_at)}
            await asyncio.sleep(0.01)
    assert role.monitors() == 1
    assert all(one != next_one for one, next_one in itertools.pairwise(heard))


@pytest.fixture
def limited(role: Role) -> Iterator[Role]:
    role.execute(f'ALTER ROLE "{role.user}" NOSUPERUSER CONNECTION LIMIT 1')
    yield role
    role.execute(f'ALTER ROLE "{role.user}" SUPERUSER CONNECTION LIMIT -1')


async def test_a_full_server_is_reported_and_not_tried_again(
    counts: ServerCounts, heard: list[ServerSample], limited: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of a role has the same SQLSTATE as that of the server, which other tests need."""
    monkeypatch.setattr(server_count, "RETRY_S", 0.05)
    holder = await asyncpg.connect(limited.url())
    counts.follow(limited.url(), superuser=True)
    await becomes(lambda: bool(heard))
    assert heard == [ServerSample(EMBEDDED, reason=heard[0].reason, full=True)]
    assert "too many connections" in heard[0].reason
    await holder.close()
    await becomes(lambda: all(task.done() for task in counts._tasks))
    assert len(heard) == 1


CONNECTS = """
import asyncio, asyncpg, pytest

@pytest.mark.parametrize("number", range(20))
def test_connects(number):
    async def go():
        # The server frees the slot of the test before a moment after its connection has closed.
        for attempt in range(200):
            try:
                connection = await asyncpg.connect({url!r})
                break
            except asyncpg.TooManyConnectionsError:
                if {patient}: await asyncio.sleep(0.01)
                else: raise
        await connection.fetchval("SELECT 1")
        await connection.close()
    asyncio.run(go())
"""


async def test_a_role_with_a_limit_keeps_all_of_it(tmp_path: Path, limited: Role) -> None:
    """Not even once: a log of the server would show a session of ours."""
    root = write(tmp_path, test_it=CONNECTS.format(url=limited.url(), patient=True))
    engine = engine_for(root)
    sessions: list[int] = []
    engine.subscribe(lambda delta: sessions.append(limited.monitors()) if delta.items else None)
    async with started(engine) as session:
        await reached(session, ended(1), 90)
        assert session.run is not None and session.run.counts == {"passed": 20}
        assert session.servers[EMBEDDED].peak == 0
        assert "counted from the next run on" in session.servers[EMBEDDED].latest.reason
        await becomes(lambda: bool(engine._counts._unlimited))
        engine.rerun(None, "all")
        await reached(session, ended(2), 90)
        assert session.run.counts == {"passed": 20}
        assert "has a connection limit" in session.servers[EMBEDDED].latest.reason
    assert set(sessions) == {0}


async def test_a_role_without_a_limit_is_counted_from_the_second_run_on(tmp_path: Path, role: Role) -> None:
    role.execute(f'ALTER ROLE "{role.user}" NOSUPERUSER')
    engine = holding(tmp_path, role)
    (tmp_path / "may_end").touch()
    try:
        async with started(engine) as session:
            await reached(session, ended(1))
            assert session.servers[EMBEDDED].peak == 0
            await becomes(lambda: bool(engine._counts._unlimited))
            (tmp_path / "may_end").unlink()
            engine.rerun(None, "all")
            await reached(session, lambda run: run.number == 2 and is_counted(engine))
    finally:
        role.execute(f'ALTER ROLE "{role.user}" SUPERUSER')


async def test_a_refused_test_ends_the_counting(tmp_path: Path, role: Role) -> None:
    source = (
        HOLDS
        + """
def test_refused():
    raise RuntimeError("FATAL: sorry, too many clients already")
def test_waits_until_nobody_counts():
    async def go():
        admin = await asyncpg.connect({url!r})
        where = "WHERE usename = $1 AND application_name = 'tdd-monitor'"
        counting = "SELECT count(*) FROM pg_stat_activity " + where
        async with asyncio.timeout(20):
            while await admin.fetchval(counting, {user!r}): await asyncio.sleep(0.02)
        await admin.close()
    asyncio.run(go())
"""
    )
    root = write(tmp_path, test_it=source.format(url=role.url(), user=role.user))
    engine = engine_for(root)
    assert await run_until_counted(tmp_path, engine) == 1
    assert engine.board.session.run is not None
    assert engine.board.session.run.counts == {"passed": 2, "failed": 1}
    assert engine.board.session.servers[EMBEDDED].peak >= 7
    assert "a test was refused" in engine.board.session.servers[EMBEDDED].latest.reason


async def test_counting_can_be_switched_off(tmp_path: Path, role: Role) -> None:
    engine = holding(tmp_path, role)
    (tmp_path / "may_end").touch()
    engine.settings = replace(engine.settings, count_connections=False)
    assert await run_headless(engine) == 0
    assert engine.board.session.servers == {}


async def test_the_next_credentials_are_tried_when_some_are_refused(
    counts: ServerCounts, heard: list[ServerSample], role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_count, "RETRY_S", 0.1)
    counts.follow(role.url().replace("tdd%20monitor", "nobody"), superuser=True)
    counts.follow(role.url(), superuser=True)
    await becomes(lambda: bool(heard) and heard[-1].max_connections > 0)
    assert "does not exist" in heard[0].reason and not heard[0].full


@pytest.fixture
async def silent() -> AsyncIterator[list[int]]:
    """A port, then one number per connection: a server that accepts and never answers."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(connections))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connections.append(server.sockets[0].getsockname()[1])
    yield connections
    server.close()


async def test_a_server_that_does_not_answer_is_not_tried_again_at_once(
    counts: ServerCounts, heard: list[ServerSample], silent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_count, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(server_count, "RETRY_S", 3600.0)
    counts.follow(f"postgresql://me:s3cret@127.0.0.1:{silent[0]}/shop", superuser=True)
    await becomes(lambda: bool(heard))
    for number in range(20):  # another attempt would come before the last of these
        _, writer = await asyncio.open_connection("127.0.0.1", silent[0])
        await becomes(lambda number=number: len(silent) >= number + 3)  # type: ignore[misc]
        writer.close()
    assert heard == [ServerSample(f"127.0.0.1:{silent[0]}", reason="no answer within 0.1 s")]
    assert len(silent) == 1 + 1 + 20


async def test_stopping_does_not_wait_for_a_server_that_does_not_answer(
    counts: ServerCounts, silent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_count, "TIMEOUT_S", 3600.0)
    counts.follow(f"postgresql://me@127.0.0.1:{silent[0]}/shop", superuser=True)
    await becomes(lambda: len(silent) > 1)
    await asyncio.wait_for(counts.stop(), 60)


@pytest.mark.parametrize(
    ("url", "name", "reason"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/shop", "127.0.0.1:1", "connection refused"),
        ("postgresql://me:s3cret@/shop?host=/nowhere&port=7", "/nowhere:7", "No such file or directory"),
        ("postgresql://me:s3cret@no-such-host.invalid:5432/shop", "no-such-host.invalid:5432", ""),
        (
            "postgresql://me:s3cret@127.0.0.1:1/shop?sslmode=verify-full&sslrootcert=/nowhere",
            "127.0.0.1:1",
            "No such file or directory",
        ),
        (
            "postgresql://me:s3cret@127.0.0.1:1/shop?sslmode=verify-more",
            "127.0.0.1:1",
            "the monitor cannot connect with the tests' credentials (ClientConfigurationError)",
        ),
    ],
)
async def test_a_server_that_cannot_be_queried_is_reported(
    counts: ServerCounts, heard: list[ServerSample], url: str, name: str, reason: str
) -> None:
    counts.follow(url, superuser=True)
    await becomes(lambda: bool(heard))
    assert (heard[0].server, heard[0].connections) == (name, 0)
    assert heard[0].reason == reason if reason else heard[0].reason
    assert "s3cret" not in repr(heard)


async def test_an_invalid_url_is_ignored(counts: ServerCounts, heard: list[ServerSample]) -> None:
    counts.follow("postgresql://[me")
    counts.follow("postgresql://me@db:port/x")
    assert heard == [] and counts._tasks == []
