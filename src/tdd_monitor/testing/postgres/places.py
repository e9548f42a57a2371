"""Where the server's files are, and the account that may access them.

The first directory is used that this user can write to and the server's account can enter:
the cache, then (for root) /var/cache, then a temporary directory.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import system
from .errors import EmbeddedPostgresError, ServerStartError, StorageError

ACCOUNTS = ("postgres", "nobody", "daemon", "www-data")
FULL = (errno.ENOSPC, errno.EDQUOT)
LOCK_POLL_S = 0.005


@dataclass(frozen=True)
class Account:
    """The existing unprivileged account that runs the server when we are root."""

    name: str
    user_id: int
    group_id: int


@dataclass(frozen=True)
class Home:
    """The directory that holds all files of one server, and the account that runs it."""

    directory: Path
    account: Account | None = None
    temporary: bool = False

    @property
    def starter_lock(self) -> Path:
        """Held while a process starts, stops or resets the server."""
        return self.directory / "postgres.start.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor for its lifetime."""
        return self.directory / "postgres.lock"

    @property
    def state_file(self) -> Path:
        """Describes the running server, see `messages.Running`."""
        return self.directory / "postgres.json"

    @property
    def log_file(self) -> Path:
        """The output of supervisor and server since the last start."""
        return self.directory / "postgres.log"

    def data_directory(self, major: int) -> Path:
        """Return the directory of the databases of one major version."""
        return self.directory / f"postgres-{major}"

    @property
    def runtime_directory(self) -> Path:
        """The short private directory of the sockets: their paths are limited to 107 bytes."""
        return _short_temporary() / f"tdd-monitor-{system.user_id()}-{_mark(self.directory)}"

    def make_socket_directory(self) -> Path:
        """Create the directory of the server's socket, without the leftovers of a killed server."""
        directory = self.runtime_directory
        try:
            make_private(directory)
        except PermissionError:
            directory = Path(tempfile.mkdtemp(prefix="tdd-monitor-", dir=directory.parent))
        if self.account is not None:
            # The account can traverse this directory to reach its own, but not list it or write to it.
            directory.chmod(0o711)
        sockets = directory / "pg"
        shutil.rmtree(sockets, ignore_errors=True)
        self.own(sockets)
        return sockets

    def own(self, directory: Path) -> None:
        """Create a directory that only the server's account (and root) can enter."""
        directory.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            os.chown(directory, self.account.user_id, self.account.group_id)

    @contextlib.contextmanager
    def locked(self, lock_file: Path, timeout_s: float, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold one of the locks; call `on_wait` once if another process has it."""
        deadline_s = time.monotonic() + timeout_s
        waited = False
        while (descriptor := try_lock(lock_file)) is None:
            if not waited:
                on_wait()
                waited = True
            if time.monotonic() > deadline_s:
                raise self.held_too_long(lock_file, timeout_s)
            time.sleep(LOCK_POLL_S)
        try:
            yield
        finally:
            system.unlock(descriptor)

    def held_too_long(self, lock_file: Path, waited_s: float) -> ServerStartError:
        """Return the error for a lock that is not released."""
        return ServerStartError(
            f"Another process has held {lock_file} for {waited_s:.0f} s. If it runs in another container"
            " or on another machine that shares this directory, give each its own with"
            f" TDD_MONITOR_CACHE_DIR; otherwise end it. Log: {self.log_file}"
        )


def find_home() -> Home:
    """Return the first usable home for the server, and create its directory."""
    account = _unprivileged_account() if system.is_root() else None
    rejections = []
    for home in _candidates(account):
        try:
            _open(home)
        except OSError as error:
            if error.errno in FULL:
                raise disk_full(home.directory) from error
            rejections.append(f"{home.directory}: {error.strerror}")
        else:
            return home
    raise StorageError(
        "No directory can hold the embedded PostgreSQL: " + "; ".join(rejections) + ". Set"
        " TDD_MONITOR_CACHE_DIR to a writable directory, or TDD_MONITOR_DATABASE_URL to a server."
    )


def try_lock(lock_file: Path) -> int | None:
    """Take a lock like `system.try_lock`, but with an error that says what to do."""
    try:
        return system.try_lock(lock_file)
    except OSError as error:
        raise StorageError(
            f"Cannot lock {lock_file}: {error.strerror}. Set TDD_MONITOR_CACHE_DIR to a directory on a"
            " local disk."
        ) from error


def disk_full(directory: Path) -> StorageError:
    """Return the error for a full disk."""
    return StorageError(
        f"The disk is full: the embedded PostgreSQL cannot write to {directory}. It needs about 100 MB:"
        " free some space, or set TDD_MONITOR_CACHE_DIR to a directory on another disk."
    )


def can_reach(path: Path, account: Account) -> bool:
    """Check the permission bits: whether the account can enter the path and read its contents."""
    return all(_permits(place, account, 0o1) for place in path.parents) and _permits(path, account, 0o5)


def _permits(path: Path, account: Account, wanted: int) -> bool:
    found = path.stat()
    if found.st_uid == account.user_id:
        return found.st_mode >> 6 & wanted == wanted
    if found.st_gid == account.group_id:
        return found.st_mode >> 3 & wanted == wanted
    return found.st_mode & wanted == wanted


def _candidates(account: Account | None) -> Iterator[Home]:
    base = _base_directory()
    temporary = Path(tempfile.gettempdir())
    yield Home(base, account)
    if account is not None and not base.is_relative_to(temporary):
        yield Home(Path("/var/cache/tdd-monitor") / _mark(base), account)
    yield Home(temporary / f"tdd-monitor-{system.user_id()}-{_mark(base)}-data", account, temporary=True)


def _base_directory() -> Path:
    chosen = os.environ.get("TDD_MONITOR_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("tdd-monitor", appauthor=False))


def _open(home: Home) -> None:
    """Create the directory, and check that it can hold locks and that the account can enter it."""
    directory = home.directory
    if home.temporary:
        make_private(directory)
    made = not directory.exists()
    if home.account is not None and made:
        _check_fit_for_root(next(place for place in directory.parents if place.exists()), home.account)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.account is not None:
        if made or home.temporary:
            directory.chmod(0o711)
        _check_fit_for_root(directory, home.account)
    os.close(os.open(home.starter_lock, os.O_RDWR | os.O_CREAT, 0o600))


def _check_fit_for_root(directory: Path, account: Account) -> None:
    if directory.stat().st_uid != 0:
        # Under sudo: the owner could not use the files that root creates here.
        raise PermissionError(errno.EPERM, "it does not belong to root")
    if not all(_permits(place, account, 0o1) for place in (directory, *directory.parents)):
        raise PermissionError(errno.EACCES, f"the account {account.name!r} cannot enter it")


def make_private(directory: Path) -> Path:
    """Create a private directory in a world-writable one; reject another user's."""
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        found = directory.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == system.user_id()
        if not system.WINDOWS and (not ours or found.st_mode & 0o022):
            raise PermissionError(errno.EPERM, "another user created it") from None
    return directory


def _mark(directory: Path) -> str:
    return hashlib.sha256(str(directory).encode()).hexdigest()[:10]


def _short_temporary() -> Path:
    # TMPDIR is second choice: it can be long, and differ between processes that share the server.
    shared = Path("/tmp")
    usable = not system.WINDOWS and os.access(shared, os.W_OK | os.X_OK)
    return shared if usable else Path(tempfile.gettempdir())


def _unprivileged_account() -> Account:
    import pwd

    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            if entry.pw_uid != 0:
                return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and this machine has none of the accounts "
        + ", ".join(ACCOUNTS)
        + ". Run the tests as an ordinary user, or set TDD_MONITOR_DATABASE_URL to a server."
    )
