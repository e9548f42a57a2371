"""Foreign files in place of the server's: no damage, no hang, and the error names the remedy."""

import json
import os
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tdd_monitor.testing.postgres import (
    ServerStartError,
    acquire_server,
    reset_server,
    server_status,
    stop_server,
    system,
)
from tdd_monitor.testing.postgres.messages import Running
from tdd_monitor.testing.postgres.places import find_home

from .conftest import GRACE_S

Ask = Callable[..., object]
PutAside = Callable[[Path], Path]

StartElsewhere = Callable[[], str]

STARTER = """
import os, sys
from tdd_monitor.testing.postgres import acquire_server
for line in sys.stdin:
    os.environ["TDD_MONITOR_CACHE_DIR"] = line.rstrip("\\n")
    try:
        acquire_server().close()
        print("started", flush=True)
    except Exception as error:
        print(repr(error), flush=True)
"""
PRECIOUS = b"4711\nwhat another process wrote\n"


@pytest.fixture(scope="module")
def starter() -> "Iterator[subprocess.Popen[str]]":
    """A process that starts the server in each cache directory it is sent."""
    command = [sys.executable, "-c", STARTER]
    environment = {**os.environ, "TDD_MONITOR_POSTGRES_GRACE_S": GRACE_S}
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-2, text=True, env=environment) as process:
        yield process
        process.kill()


@pytest.fixture
def start_elsewhere(starter: "subprocess.Popen[str]", empty_cache: Path) -> StartElsewhere:
    """Start the server from another process, so that a hang becomes an error; return its reply."""

    def start() -> str:
        assert starter.stdin is not None and starter.stdout is not None
        print(empty_cache, file=starter.stdin, flush=True)
        if not select.select([starter.stdout], [], [], 60)[0]:
            starter.kill()
            pytest.fail("The start hangs.")
        return starter.stdout.readline().rstrip("\n")

    return start


@pytest.fixture
def stopped_data(cache: Path) -> Path:
    """The data directory of a server that was shut down cleanly."""
    data = next(cache.glob("postgres-[0-9]*"))
    assert not (data / "postmaster.pid").exists()
    return data


@pytest.fixture
def put_aside(stopped_data: Path) -> Iterator[PutAside]:
    """Move part of the data directory away for the duration of the test; return its new path."""
    moved: list[tuple[Path, Path]] = []

    def move(path: Path) -> Path:
        place = stopped_data.parent / f"aside-{len(moved)}"
        moved.append((path, path.rename(place)))
        return place

    yield move
    for path, place in reversed(moved):
        path.unlink(missing_ok=True)
        place.rename(path)


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_a_link_in_place_of_the_pid_file_is_not_written_through(
    stopped_data: Path, start_elsewhere: StartElsewhere, ask: Ask, link: Callable[[Path, Path], None]
) -> None:
    victim = stopped_data.parent / "victim"
    victim.write_bytes(PRECIOUS)
    link(victim, stopped_data / "postmaster.pid")
    assert start_elsewhere() == "started"
    assert victim.read_bytes() == PRECIOUS
    with acquire_server() as lease:
        assert ask(lease.address) == 1
    assert victim.read_bytes() == PRECIOUS


def test_a_link_to_an_endless_device_is_not_read(stopped_data: Path, start_elsewhere: StartElsewhere) -> None:
    (stopped_data / "postmaster.pid").symlink_to("/dev/zero")
    assert start_elsewhere() == "started"


def test_a_pipe_in_place_of_the_pid_file_does_not_hang(
    stopped_data: Path, start_elsewhere: StartElsewhere
) -> None:
    os.mkfifo(stopped_data / "postmaster.pid")
    assert start_elsewhere() == "started"


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\n/x\n", b"9" * 5000 + b"\n/x\n", "²\n/x\n".encode(), b"0\n/x\n", b"9999999999\n"],
    ids=["bytes", "5000 digits", "superscript", "zero", "no process"],
)
def test_a_pid_file_that_names_no_process_is_ignored(
    stopped_data: Path, start_elsewhere: StartElsewhere, content: bytes
) -> None:
    (stopped_data / "postmaster.pid").write_bytes(content)
    assert start_elsewhere() == "started"


@pytest.mark.parametrize(
    "change",
    [
        {"control": 5},
        {"control": "a\0b"},
        {"control": "\ud800"},
        {"postmaster_pid": "7"},
        {"token": ["x"]},
        {"token": "\u00e9\ud800"},
        {"data_directory": None},
        {"port": True},
    ],
    ids=lambda change: "-".join(f"{name} {value!a}" for name, value in change.items()),
)
def test_a_state_file_with_a_wrong_value_is_ignored(
    stopped_data: Path, start_elsewhere: StartElsewhere, change: dict[str, object]
) -> None:
    good = {name: "/x" if kind is str else 7 for name, kind in Running.__annotations__.items()}
    find_home().state_file.write_text(json.dumps(good | change))
    assert not server_status().running
    assert not stop_server()
    assert start_elsewhere() == "started"


@pytest.mark.parametrize("content", ["[]", '"x"', "[" * 100_000, "9" * 5000, "{", ""])
def test_a_malformed_state_file_is_ignored(empty_cache: Path, content: str) -> None:
    find_home().state_file.write_text(content)
    assert not server_status().running
    assert not stop_server()


def test_a_pipe_in_place_of_the_state_file_does_not_hang(
    stopped_data: Path, start_elsewhere: StartElsewhere
) -> None:
    os.mkfifo(find_home().state_file)
    assert start_elsewhere() == "started"


def call_supervisor(request: bytes) -> bytes:
    """Send the supervisor a line, with TOKEN replaced by its own; return the reply."""
    running = Running.read(find_home().state_file)
    assert running is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(10)
        caller.connect(running.control)
        caller.sendall(request.replace(b"TOKEN", running.token.encode()))
        return caller.recv(4096)


def test_no_line_on_the_control_socket_stops_the_server(cache: Path, ask: Ask) -> None:
    with acquire_server() as lease:
        pid = server_status().pid
        assert pid is not None
        for request_line in (
            b"\xff\n",
            b"\xff stop 1\n",
            b"TOKEN \xff 1\n",
            "TOKEN lease ²\n".encode(),
            b"TOKEN lease " + b"9" * 3000 + b"\n",
            "TOKEN follow ²\n".encode(),
            b"TOKEN follow 99999999999999999999\n",
            b"\n",
            b"\0" * 4096,
        ):
            call_supervisor(request_line)
            assert ask(lease.address) == 1, request_line
            assert server_status().pid == pid, request_line


def test_silent_connections_do_not_stop_the_server(cache: Path, ask: Ask) -> None:
    script = """
import resource, socket
from tdd_monitor.testing.postgres import acquire_server, server_status
from tdd_monitor.testing.postgres.messages import Running
from tdd_monitor.testing.postgres.places import find_home

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
lease = acquire_server()
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2048), hard))
pid, control = server_status().pid, Running.read(find_home().state_file).control
silent = []
for _ in range(600):
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    caller.connect(control)
    silent.append(caller)
assert server_status().pid == pid is not None
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""


def remove_control(data: Path, put_aside: PutAside) -> None:
    put_aside(data / "global" / "pg_control")


def tell_another_version(data: Path, put_aside: PutAside) -> None:
    put_aside(data / "PG_VERSION")
    (data / "PG_VERSION").write_text("9.6\n")


def zero_the_log(data: Path, put_aside: PutAside) -> None:
    for segment in list((data / "pg_wal").glob("0*")):
        size = put_aside(segment).stat().st_size
        with segment.open("wb") as file:
            file.truncate(size)


def open_to_everybody(data: Path, put_aside: PutAside) -> None:
    data.chmod(0o777)


def put_a_file_there(data: Path, put_aside: PutAside) -> None:
    put_aside(data)
    data.write_text("no directory")


def put_a_directory_on_the_pid_file(data: Path, put_aside: PutAside) -> None:
    (data / "postmaster.pid").mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        remove_control,
        tell_another_version,
        zero_the_log,
        open_to_everybody,
        put_a_file_there,
        put_a_directory_on_the_pid_file,
    ],
)
def test_the_error_for_damaged_data_names_the_remedy_first(
    stopped_data: Path, put_aside: PutAside, damage: Callable[[Path, PutAside], None]
) -> None:
    damage(stopped_data, put_aside)
    try:
        with pytest.raises(ServerStartError) as caught:
            acquire_server()
        assert "`tdd-monitor postgres reset`" in str(caught.value).splitlines()[0]
    finally:
        if stopped_data.is_dir():
            stopped_data.chmod(0o700)
            shutil.rmtree(stopped_data / "postmaster.pid", ignore_errors=True)


def test_reset_repairs_any_damage_and_follows_no_link(empty_cache: Path, ask: Ask) -> None:
    home = find_home()
    (home.directory / "postgres-18" / "postmaster.pid").mkdir(parents=True)
    (home.directory / "postgres-17").write_text("no directory")
    elsewhere = home.directory / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (home.directory / "postgres-16").symlink_to(elsewhere)
    home.state_file.mkdir()
    reset_server()
    assert (elsewhere / "precious").exists()
    assert not list(home.directory.glob("postgres-*"))
    with acquire_server() as lease:
        assert ask(lease.address) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere connect waits while the backlog is full")
def test_a_connection_waits_when_the_backlog_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, ExitStack() as others:
        listener.bind(control := f"\0tdd-monitor-test-{os.getpid()}")
        listener.listen(1)
        with suppress(BlockingIOError):
            while True:
                other = others.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                other.setblocking(False)
                other.connect(control)
        monkeypatch.setattr("time.sleep", lambda _: listener.accept()[0].close())
        system.dial(control, 30.0).close()
