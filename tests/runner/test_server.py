import asyncio
import json
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.projects import becomes

from tdd_monitor.protocol.codec import CANCELLED, MAX_LINE_BYTES, encode
from tdd_monitor.protocol.events import PROTOCOL, Hello, Line, StartedTest
from tdd_monitor.runner.stream import server as servers
from tdd_monitor.runner.stream.server import MAX_UNKNOWN_BYTES, Server, ServerError


class Heard(list[Line]):
    def __call__(self, line: Line, raw: bytes) -> None:
        self.append(line)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def server(heard: Heard) -> AsyncIterator[Server]:
    server = Server(heard)
    await server.start()
    server.expect("run-1")
    yield server
    await server.stop()


def hello(server: Server, **changes: object) -> bytes:
    event = Hello(PROTOCOL, server.token, "run-1", 1, "single")._replace(**changes)  # type: ignore[arg-type]
    return encode(Line(1, 1, "", event))


def started(number: int) -> bytes:
    return encode(Line(number, 2, "", StartedTest("t.py::a", 1)))


STARTED = started(2)


async def say(server: Server, *chunks: bytes) -> None:
    _, writer = await asyncio.open_unix_connection(server.address.removeprefix("unix:"))
    for chunk in chunks:
        writer.write(chunk)
        await writer.drain()
    writer.close()
    assert await server.drained(60)


async def test_the_socket_is_in_a_private_directory_and_is_removed(heard: Heard) -> None:
    server = Server(heard)
    await server.start()
    directory = Path(server.address.removeprefix("unix:")).parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    await server.stop()
    assert not directory.exists()


async def test_lines_arrive_whatever_the_chunks(server: Server, heard: Heard) -> None:
    data = hello(server) + started(2) + started(3) + started(4)
    await say(server, *(data[i : i + 7] for i in range(0, len(data), 7)))
    assert [type(line.event).__name__ for line in heard] == ["Hello", *["StartedTest"] * 3]


@pytest.mark.parametrize("changes", [{"token": "guessed"}, {"run": "another"}, {"proto": PROTOCOL + 1}])
async def test_clients_of_other_runs_or_without_the_token_are_refused(
    server: Server, heard: Heard, changes: dict[str, object]
) -> None:
    await say(server, hello(server, **changes) + STARTED)
    assert heard == [] and server.foreign == 1


async def test_lines_before_hello_are_dropped(server: Server, heard: Heard) -> None:
    await say(server, STARTED)
    assert heard == [] and server.foreign == 1


async def test_malformed_lines_are_counted_and_dropped(server: Server, heard: Heard) -> None:
    unknown = json.dumps({"ev": "from_the_future", "seq": 3}).encode() + b"\n"
    await say(server, hello(server) + b"rubbish\n" + unknown + b'{"ev":"test_start"}\n' + STARTED)
    assert len(heard) == 2 and server.malformed == 2


async def test_an_endless_line_costs_only_itself(server: Server, heard: Heard) -> None:
    await say(server, hello(server), b"x" * (3 * MAX_LINE_BYTES), b"\n" + STARTED)
    assert len(heard) == 2 and server.malformed == 1


async def test_a_directory_that_cannot_be_written_is_explained(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with pytest.raises(ServerError, match="TMPDIR"):
        await Server(heard).start()


async def test_a_line_that_arrives_twice_counts_once_on_any_connection(server: Server, heard: Heard) -> None:
    await say(server, hello(server) + started(2) + started(3) + started(3) + started(2))
    # The same process again, of which line 5 is still on its way over the first connection.
    await say(server, hello(server) + started(3) + started(4) + started(6) + started(5))
    numbers = [line.seq for line in heard if not isinstance(line.event, Hello)]
    assert numbers == [2, 3, 4, 6, 5]
    assert server.missing == server.malformed == 0


async def test_gaps_are_counted_for_each_process_of_the_run(server: Server, heard: Heard) -> None:
    await say(server, hello(server) + started(2) + started(5))
    await say(
        server, hello(server, pid=2, role="worker") + started(3) + b'{"ev":"from_the_future","seq":4}\n'
    )
    assert server.missing == 3
    server.expect("run-1")
    assert server.missing == 0


async def test_cancelled_lines_are_not_malformed(server: Server, heard: Heard) -> None:
    whole = hello(server)
    await say(server, whole[:20] + CANCELLED + whole + started(2)[:-1] + CANCELLED + CANCELLED + started(2))
    assert [line.seq for line in heard] == [1, 2]
    assert server.foreign == server.malformed == server.missing == 0


async def test_a_long_hello_is_accepted(server: Server, heard: Heard) -> None:
    data = hello(server, unmeasured=("x" * 1_000,) * 500)
    assert len(data) > 100 * MAX_UNKNOWN_BYTES
    await say(server, *(data[at : at + 50_000] for at in range(0, len(data), 50_000)), STARTED)
    assert len(heard) == 2


async def connected(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(server.address.removeprefix("unix:"))


async def test_unidentified_clients_are_limited_in_number_and_size(
    server: Server, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "HELLO_TIMEOUT_S", 300.0)
    monkeypatch.setattr(servers, "MAX_UNKNOWN", 20)
    peers = [await connected(server) for _ in range(30)]
    await becomes(lambda: server.foreign == 10)
    _, greedy = peers[0]
    greedy.write(b'{"ev":"hello","token":"guessed' + b"x" * MAX_UNKNOWN_BYTES)
    await becomes(lambda: server.foreign == 11)
    await say_only(server, hello(server) + STARTED)
    assert len(heard) == 2 and server.foreign == 11  # the others still wait
    for _, writer in peers:
        writer.close()


async def test_clients_that_send_no_hello_are_disconnected(
    server: Server, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plugin = await connected(server)
    plugin.write(hello(server))
    await becomes(lambda: len(heard) == 1)
    monkeypatch.setattr(servers, "HELLO_TIMEOUT_S", 0.01)
    reader, client = await connected(server)
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    assert server.foreign == 1
    plugin.write(STARTED)
    await becomes(lambda: len(heard) == 2)
    for writer in (client, plugin):
        writer.close()


async def say_only(server: Server, data: bytes) -> None:
    """Like `say`, while others are connected too."""
    reader, writer = await connected(server)
    writer.write(data)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()


async def test_a_removed_socket_is_replaced(server: Server, heard: Heard) -> None:
    before = server.address
    await server.restart_if_gone()
    assert server.address == before
    shutil.rmtree(server.directory)
    await server.restart_if_gone()
    assert server.address != before
    await say(server, hello(server) + STARTED)
    assert len(heard) == 2
