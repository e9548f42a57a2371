"""The interface that a store needs to the database of the history."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = Sequence[Any]


class HistoryError(Exception):
    """The history cannot be used; the message says where it is, why, and what to do."""


class Database(Protocol):
    """A database with the tables of the history in their current version.

    Statements have PostgreSQL's placeholders ($1). Everything raises HistoryError when it fails.
    """

    notice: str  # a problem on opening that the user should know about, or ""

    def query(self, sql: str, *values: object) -> Sequence[Row]:
        """Execute one statement; returns its rows, if any."""

    def execute_many(self, sql: str, rows: Iterable[Row]) -> None:
        """Execute one statement once per row of values."""

    def transaction(self) -> AbstractContextManager[None]:
        """A block that is committed as a whole, or rolled back when it raises."""

    def close(self) -> None:
        """Close the connection."""
