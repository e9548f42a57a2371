"""Recordings can be read back, and a full disk ends the recording but not the run."""

import errno
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from support.streams import shop

from tdd_monitor.history import recording
from tdd_monitor.history.recording import Recorder, RecordingError
from tdd_monitor.protocol.codec import encode
from tdd_monitor.protocol.events import CollectFinish, Event, Hello, Line, LinesLost, ServerSeen, StartedTest

LINE = Line(1, 1, "", StartedTest("a.py::t", 1))


def record(path: Path, lines: list[Line]) -> Recorder:
    recorder = Recorder(path)
    for line in lines:
        recorder.write(line, encode(line).rstrip(b"\n"))
    return recorder


def test_recorded_lines_can_be_read(tmp_path: Path) -> None:
    lines = shop()
    recorder = record(tmp_path / "run.ndjson", lines)
    recorder.close()
    assert recorder.error == ""
    read = list(recording.read(tmp_path / "run.ndjson"))
    assert [line for line in read if not isinstance(line.event, Hello)] == [
        line for line in lines if not isinstance(line.event, Hello)
    ]
    assert len(read) == len(lines)


def test_flushed_lines_are_on_disk_before_the_end(tmp_path: Path) -> None:
    recorder = record(tmp_path / "run.ndjson", [LINE])
    recorder.flush()
    assert list(recording.read(tmp_path / "run.ndjson")) == [LINE]
    recorder.close()


def test_the_token_is_not_recorded(tmp_path: Path) -> None:
    hello = Hello(1, "s3cret", "run", 7, "single", rootdir="/x")
    record(tmp_path / "run.ndjson", [Line(1, 1, "", hello)]).close()
    assert b"s3cret" not in (tmp_path / "run.ndjson").read_bytes()
    (read,) = recording.read(tmp_path / "run.ndjson")
    assert read == Line(1, 1, "", hello._replace(token="-"))


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("postgresql://me:s3cret@db:5432/shop", "postgresql://me@db:5432/shop"),
        ("postgresql://me:s3cret@[::1]:1/shop?sslmode=require", "postgresql://me@[::1]:1/shop"),
        ("postgresql://me@/shop?host=/run&password=s3cret", "postgresql://me@/shop"),
        ("postgresql://db/shop", "postgresql://db/shop"),
        ("postgresql://me:s3cret@[db", "-"),
        ("host=db password=s3cret", "-"),
    ],
)
def test_the_password_of_a_server_is_not_recorded(tmp_path: Path, url: str, kept: str) -> None:
    record(tmp_path / "run.ndjson", [Line(1, 1, "", ServerSeen(url))]).close()
    assert b"s3cret" not in (tmp_path / "run.ndjson").read_bytes()
    (read,) = recording.read(tmp_path / "run.ndjson")
    assert read.event == ServerSeen(kept)


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_truncated_last_line_is_skipped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "run.ndjson"
    record(path, [LINE, LINE._replace(seq=2)]).close()
    path.write_bytes(path.read_bytes()[: -1 - cut])
    assert list(recording.read(path)) == [LINE]


def test_a_recording_with_removed_fields_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    hello = Hello(1, "-", "run", 7, "single", python="3.12.4", rootdir="/x")
    gone = b'"ppid":1,"argv":["-x"],"wall_time_ns":5,'
    events: list[Event] = [hello, CollectFinish(2, 1), LinesLost(3, 1)]
    lines = [encode(Line(seq, 1, "", event)) for seq, event in enumerate(events, 1)]
    lines[0] = lines[0].replace(b'"pid":7,', b'"pid":7,' + gone)
    lines[1] = lines[1].replace(b'"count":2,', b'"count":2,"dur_ns":9,')
    lines[2] = lines[2].replace(b'"missing":3,', b'"missing":3,"sender":"gw0",')
    path.write_bytes(b"".join(lines))
    assert b"ppid" in lines[0] and b"dur_ns" in lines[1] and b"sender" in lines[2]
    assert [line.event for line in recording.read(path)] == events


def test_future_events_and_garbage_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    path.write_bytes(b'{"ev":"of_tomorrow"}\n' + encode(LINE) + b"\x00\xff\n\n" + encode(LINE))
    assert list(recording.read(path)) == [LINE, LINE]


def test_a_giant_line_is_skipped_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    giant = 64 << 20
    with path.open("wb") as file:
        file.write(encode(LINE))
        file.seek(giant, 1)
        file.write(b"\n" + encode(LINE))
    tracemalloc.start()
    try:
        assert list(recording.read(path)) == [LINE, LINE]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < giant / 8


def test_an_old_recording_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    path.write_bytes(b"old\n" * 10_000)
    record(path, [LINE]).close()
    assert list(recording.read(path)) == [LINE]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# A heading\n", b"{}\n", b"\x89PNG\r\n\x1a\n"])
def test_the_error_for_another_file_says_how_to_record(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"notes\.txt is not a recording .*\n?.*--record"):
        list(recording.read(path))


@pytest.mark.parametrize("name", ["missing.ndjson", "."])
def test_an_unreadable_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="Cannot read"):
        list(recording.read(tmp_path / name))


@pytest.mark.parametrize("name", [".", "missing/run.ndjson"])
def test_an_unwritable_file_is_an_error_before_the_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="Cannot record to"):
        Recorder(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("lines", [1, 10_000], ids=["at the flush", "at a write"])
def test_a_full_disk_is_reported_once_and_never_raised(lines: int) -> None:
    recorder = record(Path("/dev/full"), [LINE] * lines)
    recorder.flush()
    error = recorder.error
    assert error.startswith("Recording to /dev/full stopped: No space left on device.")
    recorder.write(LINE, b"{}")
    recorder.close()
    recorder.close()
    assert recorder.error == error


class FullDisk(io.RawIOBase):
    """Takes `room` bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = bytes(data[: self.room])
        self.taken += part
        self.room -= len(part)
        return len(part)


def test_lines_written_before_the_disk_was_full_can_be_replayed(tmp_path: Path) -> None:
    disk = FullDisk(150)
    recorder = Recorder(tmp_path / "run.ndjson")
    recorder._file.close()
    recorder._file = io.BufferedWriter(disk, buffer_size=64)
    for _ in range(20):
        recorder.write(LINE, encode(LINE).rstrip(b"\n"))
    recorder.close()
    assert "What was recorded can be replayed" in recorder.error
    (tmp_path / "rest.ndjson").write_bytes(disk.taken)
    assert set(recording.read(tmp_path / "rest.ndjson")) == {LINE}
