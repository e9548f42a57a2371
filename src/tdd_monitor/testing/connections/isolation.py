"""Warnings to a test whose changes could not simply be rolled back.

Texts only: the connections detect it, the manager cleans up.
"""

from enum import Enum


class IsolationWarning(UserWarning):
    """A test left its transaction; what it committed was cleaned up, which costs time."""


class IsolationError(RuntimeError):
    """A test left its transaction in a database that the toolkit may not clean up."""


class Ending(Enum):
    """How the transaction around a test ended."""

    ROLLED_BACK = "rolled back"
    CLOSED = "rolled back when the test closed its connection"
    ESCAPED = "ended by the test itself"
    LOST = "lost with its connection, in an unknown state"
    STUCK = "still busy"
    BYPASSED = "rolled back, but others were connected to the database of the test"

    @property
    def is_clean(self) -> bool:
        """Whether it is certain that nothing of the test remains."""
        return self in (Ending.ROLLED_BACK, Ending.CLOSED)


def escaped_warning(test_id: str, database: str) -> str:
    """Return the text for a test that committed into a database of the toolkit."""
    return (
        f"{test_id} ended the transaction that isolates it (with its own COMMIT or ROLLBACK). {database} is"
        " recreated, which takes time, and role settings are reset; roles and other databases that the"
        " test has created remain, for all projects. Use `async with connection.transaction()`, which nests,"
        " or the fixture `tdd_database` for a test that must commit."
    )


def bypassed_warning(test_id: str, database: str) -> str:
    """Return the text for a test that opened its own connection to the database of the contexts."""
    return (
        f"{test_id} requested the URL of {database}, and a connection was opened to it. Its changes are not"
        " rolled back, so the database is recreated, which takes time. Use the fixture `tdd_database` for a"
        " test that needs several connections."
    )


def escaped_error(test_id: str, source: str) -> str:
    """Return the text for a test that committed into the user's own database."""
    return (
        f"{test_id} ended the transaction that isolates it (with its own COMMIT or ROLLBACK). Its changes"
        f" remain in the database of {source}, which tdd-monitor does not touch: remove them by hand. Use"
        " `async with connection.transaction()`, which nests, or omit the URL: on the embedded server"
        " each worker has a database that can be recreated."
    )


def stuck_warning(test_id: str) -> str:
    """Return the text for a test that ended while its connection was busy."""
    return (
        f"{test_id} ended while one of its queries was still running (a task it did not await, or a timeout)."
        " The query was terminated with its connection; nothing of it remains. Await every task in the test."
    )
