"""Inspects, stops and resets the server: for the commands of `tdd-monitor postgres`."""

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import files
from .address import ServerAddress
from .binaries import find_binaries
from .errors import PostgresUnavailable
from .lease import ask
from .messages import Running
from .places import Home, find_home

_PATIENCE_S = 40.0


@dataclass(frozen=True)
class ServerStatus:
    """The state of the server; `pid` and `address` are None and `users` is empty when none is running."""

    running: bool
    data_directory: Path
    log_file: Path
    pid: int | None = None
    version: str | None = None
    address: ServerAddress | None = None
    users: tuple[int, ...] = ()
    """The process ids of the lease holders, one per lease."""
    binaries: str | None = None
    """The origin of the programs: the name of a wheel, or `system`; None when there are none."""


def server_status() -> ServerStatus:
    """Return the state of this user's server, without starting it or counting as a user."""
    home = find_home()
    running = Running.read(home.state_file)
    answer = ask(running, "status") if running else None
    if running is None or answer is None:
        return _idle(home)
    connection, users = answer
    connection.close()
    return ServerStatus(
        running=True,
        data_directory=Path(running.data_directory),
        log_file=home.log_file,
        pid=running.postmaster_pid,
        version=running.version,
        address=ServerAddress(running.host, running.port),
        users=tuple(json.loads(users)),
        binaries=running.origin,
    )


def stop_server() -> bool:
    """Stop the server, even while it is in use; return whether one was running."""
    home = find_home()
    with home.locked(home.starter_lock, _PATIENCE_S, lambda: None):
        return _stop(home)


def reset_server() -> Path:
    """Stop the server and remove its databases and copied programs; return the directory."""
    home = find_home()
    with home.locked(home.starter_lock, _PATIENCE_S, lambda: None):
        _stop(home)
        for pattern in ("postgres-*", "binaries-*"):
            for leftover in home.directory.glob(pattern):
                files.remove(leftover)
        for file in (home.state_file, home.log_file):
            files.remove(file)
    return home.directory


def _stop(home: Home) -> bool:
    running = Running.read(home.state_file)
    answer = ask(running, "stop") if running else None
    if answer is not None:
        answer[0].close()
    with home.locked(home.supervisor_lock, _PATIENCE_S, lambda: None):
        # A killed supervisor could not clean up.
        shutil.rmtree(home.runtime_directory, ignore_errors=True)
    return answer is not None


def _idle(home: Home) -> ServerStatus:
    with contextlib.suppress(PostgresUnavailable):
        found = find_binaries()
        data = home.data_directory(found.major)
        return ServerStatus(False, data, home.log_file, version=found.version, binaries=found.origin)
    return ServerStatus(False, home.directory, home.log_file)
