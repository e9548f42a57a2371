"""Makes the data directory fit to start: initdb once, then what crashes left behind."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from . import system
from .binaries import Binaries
from .errors import ServerStartError
from .messages import Running
from .places import FULL, Account, Home, disk_full

_TEMPORARY_LIFE_S = 5 * 86_400
_ORPHAN_PATIENCE_S = 15.0
_FULL_BELOW_BYTES = 48 * 1024 * 1024
# No system hands out this number, so PostgreSQL takes the file for what it is, stale; its note of
# the shared memory stays, by which PostgreSQL refuses to start beside backends that still live.
_NO_PROCESS = "2147483646"


def prepare_cluster(home: Home, binaries: Binaries, on_progress: Callable[[str], None]) -> Path:
    """Return a data directory that a server can be started on; call it with both locks held."""
    data = home.data_directory(binaries.major)
    if (data / "PG_VERSION").exists():
        last = Running.read(home.state_file)
        _settle_pid_file(data, last)
        reason = _distrust(home, data, last)
        if reason:
            on_progress(f"Making the databases anew: {reason}")
            shutil.rmtree(data)
    if not (data / "PG_VERSION").exists():
        on_progress(f"Preparing PostgreSQL {binaries.version} in {data}: once, about 2 s")
        _initialize(home, binaries, data)
    return data


def run_as(account: Account | None) -> dict[str, object]:
    """Return the arguments by which `subprocess` runs something as the account."""
    if account is None:
        return {}
    return {"user": account.user_id, "group": account.group_id, "extra_groups": []}


def explain_failure(home: Home, said: str) -> Exception:
    """Return the error for a start that failed, from what initdb or the server said last."""
    with contextlib.suppress(OSError):
        if "No space left" in said or shutil.disk_usage(home.directory).free < _FULL_BELOW_BYTES:
            return disk_full(home.directory)
    last_words = "\n".join(said.strip().splitlines()[-12:]) or "(it said nothing)"
    return ServerStartError(
        f"The embedded PostgreSQL in {home.directory} did not start. Its last words:\n{last_words}\n"
        f"The log is {home.log_file}. If the data is damaged, `tdd-monitor postgres reset` makes it anew."
    )


def _initialize(home: Home, binaries: Binaries, data: Path) -> None:
    draft = data.with_name(data.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    command = [str(binaries.program("initdb")), "-D", str(draft), "-U", "postgres", "-A", "trust"]
    command += ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    if binaries.major >= 17:
        # The same order and the same upper case on every machine, whatever its locales are.
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
            **run_as(home.account),  # type: ignore[call-overload]
        )
        if result.returncode:
            raise explain_failure(home, result.stdout)
        draft.replace(data)
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(home.directory) from error
        raise ServerStartError(f"Cannot run {command[0]} on {draft}{_whom(home)}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _whom(home: Home) -> str:
    return f" as the account {home.account.name!r}" if home.account else ""


def _distrust(home: Home, data: Path, last: Running | None) -> str | None:
    """Tell why the old data is not safe to use: fsync is off, and cleaners visit temporary places."""
    crashed = last is not None and last.data_directory == str(data)
    if crashed and last is not None and last.boot != system.boot_identity():
        return "the machine went down while the server ran"
    with contextlib.suppress(FileNotFoundError):
        unused_s = time.time() - (data / "postmaster.opts").stat().st_mtime
        if home.temporary and unused_s > _TEMPORARY_LIFE_S:
            return f"not used for {unused_s / 86_400:.0f} days in a temporary directory"
    return None


def _settle_pid_file(data: Path, last: Running | None) -> None:
    """Deal with the postmaster.pid of a crash; the process it names may be anybody's by now."""
    pid_file = data / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError):
        first, _, rest = pid_file.read_text().partition("\n")
        if not first.strip().isdigit():
            pid_file.unlink()
        elif _is_postmaster(int(first), data):
            _await_orphan(int(first), data, last)
        else:
            pid_file.write_text(f"{_NO_PROCESS}\n{rest}")


def _is_postmaster(pid: int, data: Path) -> bool:
    """Tell by its command line; the working directory of another account's process may be hidden."""
    import psutil

    try:
        command = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    named = bool(command) and Path(command[0]).name.startswith("postgres")
    return named and ["-D", str(data)] in [command[i : i + 2] for i in range(len(command))]


def _await_orphan(pid: int, data: Path, last: Running | None) -> None:
    """Wait for a server whose supervisor was killed; ask it to stop only when it is known as ours."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        if last is not None and (last.postmaster_pid, last.data_directory) == (pid, str(data)):
            server.send_signal(2)
        try:
            server.wait(_ORPHAN_PATIENCE_S)
        except psutil.TimeoutExpired:
            raise ServerStartError(
                f"A PostgreSQL server that tdd-monitor did not start (process {pid}) uses {data}. Stop it,"
                " or set TDD_MONITOR_CACHE_DIR to another directory."
            ) from None
