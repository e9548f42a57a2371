"""Counts what cached schemas save: a saved operation is DDL that the server did not execute."""

from typing import TypedDict

from .declare import count_statements


class SchemaCacheStats(TypedDict):
    """Lookups that found a schema or did not, and the DDL statements saved."""

    hits: int
    misses: int
    ddl_operations_saved: int


class SchemaCache:
    """DDL by the hash of its schema.

    `get_database_manager().schema_cache` is the one that contexts use: they look up the schema of their
    test, and if its tables exist already, the DDL is not executed. Only that counts as saved: executing
    the text that a lookup returned saves nothing.
    """

    def __init__(self) -> None:
        self.cache: dict[str, str] = {}
        self.cache_stats = SchemaCacheStats(hits=0, misses=0, ddl_operations_saved=0)
        self._operations: dict[str, int] = {}

    def get_cached_ddl(self, schema_hash: str) -> str | None:
        """Return the cached DDL, or None; counts as a hit or a miss."""
        ddl = self.cache.get(schema_hash)
        self.cache_stats["misses" if ddl is None else "hits"] += 1
        return ddl

    def cache_ddl(self, schema_hash: str, ddl: str, operations: int | None = None) -> None:
        """Cache the DDL of a schema; `operations` is its number of statements if `ddl` does not show it."""
        self.cache[schema_hash] = ddl
        self._operations[schema_hash] = count_statements(ddl) if operations is None else operations

    def record_saved(self, schema_hash: str) -> None:
        """Count the statements of a schema whose tables already existed for a test."""
        self.cache_stats["ddl_operations_saved"] += self._operations.get(schema_hash, 0)

    def get_cache_efficiency(self) -> float:
        """Return the share of lookups that were hits, in percent; 0 before the first."""
        lookups = self.cache_stats["hits"] + self.cache_stats["misses"]
        return 100.0 * self.cache_stats["hits"] / lookups if lookups else 0.0

    def clear(self) -> None:
        """Drop the schemas; keep the counts."""
        self.cache.clear()
        self._operations.clear()
