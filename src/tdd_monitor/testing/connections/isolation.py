"""How a test is told that its changes could not simply be rolled back.

Texts only: the connections notice, the manager cleans up.
"""

from enum import Enum


class IsolationWarning(UserWarning):
    """A test left its transaction; what it committed was cleaned up, which costs time."""


class IsolationError(RuntimeError):
    """A test left its transaction in a database that the toolkit may not clean up."""


class Ending(Enum):
    """How the transaction around a test came to its end."""

    ROLLED_BACK = "rolled back"
    CLOSED = "rolled back when the test closed its connection"
    ESCAPED = "ended by the test itself"
    LOST = "gone with its connection, nobody knows how"
    STUCK = "still busy"
    BYPASSED = "rolled back, but others were connected to the database of the test"

    @property
    def is_clean(self) -> bool:
        """Whether it is certain that nothing of the test stays."""
        return self in (Ending.ROLLED_BACK, Ending.CLOSED)


def escaped_warning(test_id: str, database: str) -> str:
    """The text for a test that committed into a database of ours."""
    return (
        f"{test_id} ended the transaction that isolates it (a COMMIT or ROLLBACK of its own). {database} is"
        " made anew, which takes time, and settings of roles are reset; roles and other databases that the"
        " test has made stay, for all projects. Use `async with connection.transaction()`, which nests, or"
        " the fixture `tdd_database` for a test that must commit."
    )


def bypassed_warning(test_id: str, database: str) -> str:
    """The text for a test that had a connection of its own to the database of the contexts."""
    return (
        f"{test_id} asked for the URL of {database}, and a connection was made to it. What that wrote is not"
        " rolled back, so the database is made anew, which takes time. Use the fixture `tdd_database` for a"
        " test that needs several connections."
    )


def escaped_error(test_id: str, source: str) -> str:
    """The text for a test that committed into the user's own database."""
    return (
        f"{test_id} ended the transaction that isolates it (a COMMIT or ROLLBACK of its own). What it wrote"
        f" stays in the database of {source}, which tdd-monitor does not touch: remove it by hand. Use"
        " `async with connection.transaction()`, which nests, or leave the URL out: on the embedded server"
        " each worker has a database that can be made anew."
    )


def stuck_warning(test_id: str) -> str:
    """The text for a test that was left while its connection was at work."""
    return (
        f"{test_id} ended while a query of its was still running (a task it did not await, or a time-out)."
        " The query was stopped with its connection; nothing of it stays."
    )
