"""Counts what the standing schemas save: a saved operation is DDL that the server did not execute."""

from collections.abc import Sequence
from dataclasses import dataclass

from .declare import count_statements


@dataclass
class SchemaCacheStats:
    """Look-ups that found a schema or not, and the statements that need not run because of it."""

    hits: int = 0
    misses: int = 0
    ddl_operations_saved: int = 0


class SchemaCache:
    """Knows the schemas that stand ready in this process, by hash.

    `get_database_manager().schema_cache` is the one that contexts use: they look up the schema of their
    test, and where it stands its DDL is not executed. Operations count as saved only there: whoever
    executes the text that he gets from a look-up has saved nothing.
    """

    def __init__(self) -> None:
        self.stats = SchemaCacheStats()
        self._ddl: dict[str, tuple[str, ...]] = {}
        self._operations: dict[str, int] = {}

    def get_cached_ddl(self, schema_hash: str) -> tuple[str, ...] | None:
        """Return the DDL of a schema that stands ready, or None; counts as a hit or a miss."""
        ddl = self._ddl.get(schema_hash)
        if ddl is None:
            self.stats.misses += 1
        else:
            self.stats.hits += 1
        return ddl

    def cache_ddl(self, schema_hash: str, ddl: str | Sequence[str], operations: int | None = None) -> None:
        """Note a schema that stands ready from now on; `operations` where `ddl` does not tell them."""
        texts = (ddl,) if isinstance(ddl, str) else tuple(ddl)
        counted = sum(count_statements(text) for text in texts)
        self._ddl[schema_hash] = texts
        self._operations[schema_hash] = counted if operations is None else operations

    def note_saved(self, schema_hash: str) -> None:
        """Count a test that found its schema standing."""
        self.stats.ddl_operations_saved += self._operations.get(schema_hash, 0)

    def get_cache_efficiency(self) -> float:
        """Return the share of look-ups that were hits, in percent; 0 before the first."""
        lookups = self.stats.hits + self.stats.misses
        return 100.0 * self.stats.hits / lookups if lookups else 0.0

    def clear(self) -> None:
        """Forget the schemas; the counts stay."""
        self._ddl.clear()
        self._operations.clear()
