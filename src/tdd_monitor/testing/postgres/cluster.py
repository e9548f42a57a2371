"""Prepares the data directory: initdb once, then clean-up after crashes."""

import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from . import files, system
from .binaries import Binaries
from .errors import EmbeddedPostgresError, ServerStartError
from .messages import Running
from .places import Account, Home, disk_full

_TEMPORARY_LIFE_S = 5 * 86_400
_ORPHAN_PATIENCE_S = 15.0
_ORPHAN_POLL_S = 0.005
# A server on a full disk cannot even log why it exited.
_FULL_BELOW_BYTES = 1024 * 1024
_FULL_WORDS = ("No space left", "quota exceeded")
# No system assigns this process id, so PostgreSQL treats the file as stale. The shared memory entry is
# kept: because of it, PostgreSQL refuses to start while backends of the old server still run.
_NO_PROCESS = 2147483646


def prepare_cluster(home: Home, binaries: Binaries, on_progress: Callable[[str], None]) -> Path:
    """Return a data directory that is ready to start. The caller holds both locks."""
    data = home.data_directory(binaries.major)
    last = Running.read(home.state_file)
    for used in {data, Path(last.data_directory) if last else data}:
        _clean_up_pid_file(home, used, last)
    reason = _reason_to_recreate(home, data, last)
    if reason:
        on_progress(f"Recreating the databases: {reason}")
        files.remove(data)
    if not (data / "PG_VERSION").exists():
        on_progress(f"Preparing PostgreSQL {binaries.version} in {data}: once, about 2 s")
        _initialize(home, binaries, data)
    # ALTER SYSTEM settings (before PostgreSQL 17, or by an older tdd-monitor) would apply to all projects.
    files.remove(data / "postgresql.auto.conf")
    return data


class RunAs(TypedDict, total=False):
    """The `subprocess` arguments that change the account."""

    user: int
    group: int
    extra_groups: list[int]


def run_as(account: Account | None) -> RunAs:
    """Return the `subprocess` arguments that run a program as the account."""
    if account is None:
        return {}
    return {"user": account.user_id, "group": account.group_id, "extra_groups": []}


def explain_failure(home: Home, output: str) -> EmbeddedPostgresError:
    """Return the error for a failed start, from the last output of the program that failed."""
    with contextlib.suppress(OSError):
        free_bytes = shutil.disk_usage(home.directory).free
        if free_bytes < _FULL_BELOW_BYTES or any(words in output for words in _FULL_WORDS):
            return disk_full(home.directory)
    account = f" as the account {home.account.name!r}" if home.account else ""
    crash_output = "\n".join(output.strip().splitlines()[-12:]) or "(no output)"
    # The remedy comes first: many reports show only the first line.
    return ServerStartError(
        f"The embedded PostgreSQL in {home.directory} did not start{account}. If its data is damaged,"
        f" run `tdd-monitor postgres reset` to recreate it. Output:\n{crash_output}\nLog: {home.log_file}"
    )


def _initialize(home: Home, binaries: Binaries, data: Path) -> None:
    for leftover in home.directory.glob(data.name + ".new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    # Never the same name twice: the initdb of a killed starter may still be writing.
    draft = Path(tempfile.mkdtemp(prefix=data.name + ".new-", dir=home.directory))
    command = [str(binaries.program("initdb")), "-D", str(draft), "-U", "postgres", "-A", "trust"]
    command += ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    if binaries.major >= 17:
        # The same collation and case mapping on every machine, whatever its locales.
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    try:
        home.own(draft)
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=home.directory.anchor,
            env=system.clean_environment(),
            check=False,
            **run_as(home.account),
        )
        if result.returncode:
            raise explain_failure(home, result.stdout)
        draft.replace(data)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _reason_to_recreate(home: Home, data: Path, last: Running | None) -> str | None:
    """Say why the old data is unsafe: fsync is off, and temporary directories get cleaned."""
    crashed = last is not None and last.data_directory == str(data)
    if crashed and last is not None and last.boot != system.boot_identity():
        return "the machine went down while the server was running"
    with contextlib.suppress(FileNotFoundError):
        if home.account is not None and data.stat().st_uid != home.account.user_id:
            return f"they do not belong to the account {home.account.name!r}"
        unused_s = time.time() - (data / "postmaster.opts").stat().st_mtime
        if home.temporary and unused_s > _TEMPORARY_LIFE_S:
            return f"not used for {unused_s / 86_400:.0f} days in a temporary directory"
    return None


def _clean_up_pid_file(home: Home, data: Path, last: Running | None) -> None:
    """Neutralize the postmaster.pid of a crash; its process id may have been reused since."""
    pid_file = data / "postmaster.pid"
    try:
        first, _, rest = files.read(pid_file).partition(b"\n")
    except FileNotFoundError:
        return
    except files.NotOursError:
        first, rest = b"", b""
    pid = _process_number(first)
    if pid is None:
        pid_file.unlink(missing_ok=True)
    elif _is_postmaster(pid, data):
        _await_orphan(pid, data, last)
    else:
        owner = (home.account.user_id, home.account.group_id) if home.account else None
        files.replace(pid_file, b"%d\n%s" % (_NO_PROCESS, rest), owner)


def _process_number(line: bytes) -> int | None:
    found = re.fullmatch(rb"\s*([1-9][0-9]{0,9})\s*", line)
    return int(found[1]) if found and int(found[1]) <= _NO_PROCESS else None


def _is_postmaster(pid: int, data: Path) -> bool:
    """Check the command line; the working directory of another account's process may be hidden."""
    import psutil

    try:
        command = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    named = bool(command) and Path(command[0]).name.startswith("postgres")
    return named and ["-D", str(data)] in [command[i : i + 2] for i in range(len(command))]


def _await_orphan(pid: int, data: Path, last: Running | None) -> None:
    """Wait for a server whose supervisor was killed; signal it to stop only if it is ours."""
    if last is not None and (last.postmaster_pid, last.data_directory) == (pid, str(data)):
        system.signal_server(Path(last.bin_directory), pid, "INT")
    deadline_s = time.monotonic() + _ORPHAN_PATIENCE_S
    # Its process id may stay in use: in a container, zombies are often never reaped.
    while _is_postmaster(pid, data):
        if time.monotonic() > deadline_s:
            raise ServerStartError(
                f"A PostgreSQL server that tdd-monitor did not start (process {pid}) uses {data}. Stop it,"
                " or set TDD_MONITOR_CACHE_DIR to another directory."
            )
        time.sleep(_ORPHAN_POLL_S)
