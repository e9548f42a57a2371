"""A psycopg connection for a plain test: how its transaction begins, commits and ends.

The underlying libpq connection stays open; each test gets a new psycopg object on it, so nothing that
it sets there (adapters, row factories, handlers) affects the next test. Imports psycopg.
"""

import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors, pq

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.testing.limits import limited

from .isolation import Ending
from .proxy import expired_text

_compat = Compat("psycopg")
_KNOWS_QUERIES = _compat.has("transaction() may join earlier reads", "Connection._start_query")
_compat.has("use of an object after its test is not reported", "Connection._check_connection_ok")
limited(_compat)

# Gone if the test has ended the transaction itself. Its name is random, so it is not set again by accident.
_SENTINEL = f"tdd_monitor_{secrets.token_hex(8)}"
_OUTERMOST = f"{_SENTINEL}_0"
_numbers = itertools.count(1)
_GONE = {b"3B001", b"25P01"}  # no such savepoint, no transaction: the test has ended it
_BUSY = {pq.TransactionStatus.ACTIVE}


class SyncConnection(psycopg.Connection):  # type: ignore[type-arg, misc, unused-ignore]
    """The `context.connection` of a plain test. Its commits are undone with the rest of the test.

    `commit` and `rollback` move between savepoints, so code under test may call them as it does in
    production. Several of these can share one transaction: the innermost is used and ended first.
    """

    def __init__(self, pgconn: Any) -> None:
        super().__init__(pgconn)
        # Statements that psycopg prepares by itself would not outlive the test.
        self.prepare_threshold = None
        self._savepoint = _OUTERMOST
        self._start = ""
        self._has_work = False
        self._blocks = 0  # of `transaction`
        self.ending = Ending.LOST  # how it ended, when the test has closed it
        self._ended_with = ""  # the test, when it has ended

    def begin_nested(self) -> None:
        """Set the connection's own savepoints, to which `rollback` and `undo` return."""
        self._start, self._savepoint = (f"{_SENTINEL}_{next(_numbers)}" for _ in range(2))
        self._run(f"SAVEPOINT {self._start}", f"SAVEPOINT {self._savepoint}")

    @contextmanager
    def transaction(self, *args: Any, **kwargs: Any) -> Iterator[psycopg.Transaction]:
        """Like psycopg's: a block entered without an open transaction is committed at its end."""
        had_work, outermost = self._has_work, not self._blocks
        self._blocks += 1
        try:
            with super().transaction(*args, **kwargs) as transaction:
                yield transaction
        except BaseException:
            self._has_work = had_work  # the rest was rolled back
            raise
        finally:
            self._blocks -= 1
        if outermost and not had_work:
            self.commit()

    def commit(self) -> None:
        """Keep the changes since the last commit, within this test."""
        if self._blocks or self.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            super().commit()  # raises, or has nothing to do
        elif self.pgconn.transaction_status == pq.TransactionStatus.INERROR:
            self.rollback()  # as the server does
        else:
            self._run(f"RELEASE {self._savepoint}", f"SAVEPOINT {self._savepoint}")
            self._has_work = False

    def rollback(self) -> None:
        """Undo the changes since the last commit."""
        if self._blocks or self.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            super().rollback()
        else:
            self._run(f"ROLLBACK TO {self._savepoint}")
            self._has_work = False

    def undo(self) -> None:
        """Undo everything since `begin_nested`, including commits, and disconnect."""
        self._leave(self._start)

    def leave(self) -> None:
        """Undo uncommitted changes, and disconnect; others on the transaction continue."""
        self._leave(self._savepoint)

    def detach(self, ended_with: str = "") -> None:
        """Disconnect without closing the libpq connection; after a test, record which."""
        self._ended_with = ended_with
        self.pgconn = _closed_pgconn()

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        """Like psycopg's: every request to the server goes through here, including cursors."""
        self._refuse_after_the_test()
        self._has_work = self._has_work or not _KNOWS_QUERIES
        return super().wait(*args, **kwargs)

    def close(self) -> None:
        """Like psycopg's; one that shares a transaction only leaves it, so pools may close theirs."""
        if self.closed:
            return
        if self._start:
            self.leave()
            return
        ending = end_test(self.pgconn)
        self.ending = Ending.CLOSED if ending is Ending.ROLLED_BACK else ending
        super().close()

    def _leave(self, savepoint: str) -> None:
        if not self.closed and self.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            execute(self.pgconn, f"ROLLBACK TO {savepoint};RELEASE {savepoint}")
        self.detach()

    def _check_connection_ok(self) -> None:
        self._refuse_after_the_test()
        super()._check_connection_ok()

    def _refuse_after_the_test(self) -> None:
        if self._ended_with:
            raise psycopg.OperationalError(expired_text(self._ended_with, "the connection or a cursor"))

    def _start_query(self) -> Any:
        self._has_work = True
        return super()._start_query()

    def _run(self, *statements: str) -> None:
        self._refuse_after_the_test()
        if self.pgconn.pipeline_status != pq.PipelineStatus.OFF:
            for statement in statements:
                self.execute(statement.encode())
            return
        with self.lock:
            result = self.pgconn.exec_(";".join(statements).encode())
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise errors.error_from_result(result, encoding="utf-8")


def connect(url: str, timeout_s: float) -> Any:
    """Open a libpq connection. Raises what psycopg.connect raises."""
    connection = SyncConnection.connect(url, connect_timeout=int(timeout_s), application_name="tdd-monitor")
    pgconn, connection.pgconn = connection.pgconn, _closed_pgconn()
    return pgconn


def execute(pgconn: Any, statements: str) -> Any:
    """Send statements in one round trip; return the result of the last, or of the first that fails."""
    return pgconn.exec_(statements.encode())


def begin_test(pgconn: Any) -> None:
    """Begin the transaction of a test. Raises OperationalError when the connection is dead."""
    result = execute(pgconn, f"BEGIN;SAVEPOINT {_SENTINEL};SAVEPOINT {_OUTERMOST}")
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))


def end_test(pgconn: Any) -> Ending:
    """Undo the test's changes; on anything but ROLLED_BACK, do not reuse this connection."""
    if pgconn.status == pq.ConnStatus.BAD:
        return Ending.LOST
    if pgconn.transaction_status in _BUSY or pgconn.pipeline_status != pq.PipelineStatus.OFF:
        return Ending.STUCK
    result = execute(
        pgconn, f"ROLLBACK TO {_SENTINEL};DEALLOCATE ALL;SELECT pg_advisory_unlock_all();ROLLBACK"
    )
    if result.status != pq.ExecStatus.FATAL_ERROR:
        return Ending.ROLLED_BACK
    return Ending.ESCAPED if result.error_field(pq.DiagnosticField.SQLSTATE) in _GONE else Ending.LOST


def _closed_pgconn() -> Any:
    pgconn = pq.PGconn.connect_start(b"host=/nowhere")
    pgconn.finish()
    return pgconn
