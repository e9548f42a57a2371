"""The history in a SQLite file below the project's root."""

import contextlib
import functools
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from . import tables
from .database import HistoryError, Row

DIRECTORY = ".tdd-monitor"
FILE = "history.sqlite"
_BUSY_S = 10.0
_RETRY_S = 0.005


class SQLite:
    """A Database in `root`/.tdd-monitor, which several processes may use at once.

    With a write-ahead log, a transaction is complete or absent, whenever the process is killed. A damaged
    file is set aside, and `notice` says so. Blocks for milliseconds up to seconds; not thread-safe, but any
    thread may use it.
    """

    def __init__(self, root: Path) -> None:
        """Open or create the file. Raises HistoryError."""
        self.path = root / DIRECTORY / FILE
        self.notice = ""
        try:
            _make_directory(self.path.parent)
            with self._reported():
                self._db = self._opened()
        except OSError as error:
            raise HistoryError(f"No history is kept: {error.filename}: {error.strerror}.") from error

    def query(self, sql: str, *values: object) -> Sequence[Row]:
        """Execute one statement; returns its rows, if any."""
        with self._reported():
            return self._db.execute(_placeholders(sql), values).fetchall()

    def execute_many(self, sql: str, rows: Iterable[Row]) -> None:
        """Execute one statement once per row of values."""
        with self._reported():
            self._db.executemany(_placeholders(sql), rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """A block that is committed as a whole, or rolled back when it raises."""
        with self._reported(), _transaction(self._db):
            yield

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise HistoryError(f"No history is kept: {self.path}: {error}.") from error
            self._db.close()
            raise HistoryError(f"{self._set_aside(error)} The next run starts a new one.") from error

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self.notice = f"{self._set_aside(error)} A new one was started."
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _log_ahead(db)
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            with _transaction(db):  # another process may be doing the same
                self._migrate(db)
        except BaseException:
            db.close()
            raise
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > tables.VERSION:
            raise HistoryError(
                f"No history is kept: {self.path} was written by a newer tdd-monitor. "
                "Upgrade this one, or delete the file to start a new history."
            )
        for statement in tables.statements(version):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {tables.VERSION}")

    def _set_aside(self, error: sqlite3.Error) -> str:
        aside = self.path.with_name(f"{self.path.stem}.damaged-{int(time.time())}{self.path.suffix}")
        self.path.replace(aside)
        for log in ("-wal", "-shm"):
            self.path.with_name(self.path.name + log).unlink(missing_ok=True)
        return f"The history was damaged ({error}) and is kept as {aside}."


def _is_damage(error: sqlite3.Error) -> bool:
    """False if the file is locked or read-only, or the disk is full: its content may be intact."""
    return type(error) is sqlite3.DatabaseError  # its subclasses are for everything else


def _log_ahead(db: sqlite3.Connection) -> None:
    """Switch to a write-ahead log, which fails at once while another process writes, whatever the timeout."""
    deadline_s = time.monotonic() + _BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(_RETRY_S)
        else:
            return


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")  # waits for other writers now, instead of failing at the first write
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # already rolled back on a full disk, closed after damage
            db.execute("ROLLBACK")
        raise


@functools.cache
def _placeholders(sql: str) -> str:
    return re.sub(r"\$(\d+)", r"?\1", sql)


def _make_directory(directory: Path) -> None:
    """Create the directory, which keeps itself out of git."""
    directory.mkdir(exist_ok=True)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")
