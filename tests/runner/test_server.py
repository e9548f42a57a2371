import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tdd_monitor.protocol.codec import MAX_LINE_BYTES, encode
from tdd_monitor.protocol.events import PROTOCOL, Hello, Line, StartedTest
from tdd_monitor.runner.server import Server, ServerError


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
