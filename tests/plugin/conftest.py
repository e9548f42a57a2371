"""Interpreters to run suites in, and a way to write suites down."""

import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from plugin import harness, interpreters
from plugin.harness import environment, wait_until

collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []  # Unix sockets and forks throughout

Suite = Callable[..., Path]


def write_suite(directory: Path, **files: str) -> Path:
    """Write `name=text` as name.py into the directory, which is returned."""
    for name, text in files.items():
        (directory / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return directory


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Write files into the test's directory."""
    return partial(write_suite, tmp_path)


@pytest.fixture(scope="module")
def new_suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """The same for runs that tests share: each call writes into a new directory."""
    return lambda **files: write_suite(tmp_path_factory.mktemp("suite"), **files)


@pytest.fixture
def socket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """execnet's server for `--tx socket=`, in a directory and an environment of its own."""
    script = Path(pytest.importorskip("execnet").__file__).parent / "script" / "socketserver.py"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as output:
        command = [sys.executable, "-u", str(script), address]
        process = subprocess.Popen(command, cwd=log.parent, env=environment(), stdout=output, stderr=output)
    wait_until(lambda: "Accept" in log.read_text())
    yield f"socket={address}//chdir={log.parent}/work"
    process.kill()
    process.wait()


@pytest.fixture(scope="session")
def newest() -> str:
    """Python of an environment with the newest pytest and the plugins that suites use most."""
    if sys.executable != harness.PYTHON:
        return harness.PYTHON
    versions = sorted(interpreters.pythons(), key=lambda version: int(version.partition(".")[2]))
    usable = [version for version in versions if int(version.partition(".")[2]) >= 11]
    if not usable:
        pytest.skip("no Python 3.11 or newer here")
    return require(interpreters.made(usable[-1], interpreters.NEWEST))


def require(interpreter: interpreters.Interpreter) -> str:
    """Its python, or skip."""
    if not interpreter.python:
        pytest.skip(interpreter.reason)
    return interpreter.python


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """URL of the embedded PostgreSQL."""
    from tdd_monitor.testing.postgres import PostgresUnavailable, acquire_server

    try:
        with acquire_server() as lease:
            yield lease.address.url()
    except PostgresUnavailable as error:
        pytest.skip(str(error))
