import asyncio
import json
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

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
    assert await server.drained(5)


async def test_socket_lies_in_a_private_directory_and_is_removed(heard: Heard) -> None:
    server = Server(heard)
    await server.start()
    directory = Path(server.address.removeprefix("unix:")).parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    await server.stop()
    assert not directory.exists()


async def test_lines_are_heard_whatever_the_chunks(server: Server, heard: Heard) -> None:
    data = hello(server) + started(2) + started(3) + started(4)
    await say(server, *(data[i : i + 7] for i in range(0, len(data), 7)))
    assert [type(line.event).__name__ for line in heard] == ["Hello", *["StartedTest"] * 3]


@pytest.mark.parametrize("changes", [{"token": "guessed"}, {"run": "another"}, {"proto": PROTOCOL + 1}])
async def test_who_does_not_belong_is_not_heard(
    server: Server, heard: Heard, changes: dict[str, object]
) -> None:
    await say(server, hello(server, **changes) + STARTED)
    assert heard == [] and server.foreign == 1


async def test_nothing_is_heard_before_hello(server: Server, heard: Heard) -> None:
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


async def test_a_number_that_has_come_is_dropped_on_whichever_connection(
    server: Server, heard: Heard
) -> None:
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


async def test_what_a_sender_takes_back_is_no_damage(server: Server, heard: Heard) -> None:
    whole = hello(server)
    await say(server, whole[:20] + CANCELLED + whole + started(2)[:-1] + CANCELLED + CANCELLED + started(2))
    assert [line.seq for line in heard] == [1, 2]
    assert server.foreign == server.malformed == server.missing == 0


async def test_a_long_hello_is_let_in(server: Server, heard: Heard) -> None:
    data = hello(server, unmeasured=("x" * 1_000,) * 500)
    assert len(data) > 100 * MAX_UNKNOWN_BYTES
    await say(server, *(data[at : at + 50_000] for at in range(0, len(data), 50_000)), STARTED)
    assert len(heard) == 2


async def connected(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(server.address.removeprefix("unix:"))


async def test_strangers_take_little_and_not_for_long(
    server: Server, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "HELLO_TIMEOUT_S", 3.0)
    monkeypatch.setattr(servers, "MAX_UNKNOWN", 20)
    peers = [await connected(server) for _ in range(30)]
    await reached(lambda: server.foreign == 10)
    _, greedy = peers[0]
    greedy.write(b'{"ev":"hello","token":"guessed' + b"x" * MAX_UNKNOWN_BYTES)
    await reached(lambda: server.foreign == 11)
    await say_only(server, hello(server) + STARTED)
    assert len(heard) == 2  # the others still wait
    await reached(lambda: server.foreign == 30)
    assert await server.drained(5)
    for _, writer in peers:
        writer.close()


async def reached(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def say_only(server: Server, data: bytes) -> None:
    """Like `say`, while others are connected too."""
    reader, writer = await connected(server)
    writer.write(data)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_it_listens_anew_when_its_socket_was_removed(server: Server, heard: Heard) -> None:
    before = server.address
    await server.restart_if_gone()
    assert server.address == before
    shutil.rmtree(server.directory)
    await server.restart_if_gone()
    assert server.address != before
    await say(server, hello(server) + STARTED)
    assert len(heard) == 2
