"""The thresholds of `[tool.tdd-monitor.thresholds]`."""

import functools
from dataclasses import dataclass, fields

SHARES = ("pool_utilization", "server_connections")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Highest acceptable value of each metric; 0 switches one off."""

    test_duration_ms: float = 100.0
    fixture_setup_ms: float = 5.0  # of a shared fixture: divided by the tests that used it
    connection_acquire_ms: float = 5.0
    schema_operation_ms: float = 10.0
    test_cleanup_ms: float = 5.0
    memory_usage_mb: float = 10.0
    memory_growth_mb: float = 10.0  # for a process that keeps growing after its first test
    pool_utilization: float = 0.9  # share of a pool's maximum in use at once
    server_connections: float = 0.8  # share of the database server's max_connections in use at once
    repeated_queries: float = 10.0  # the same SELECT, literals aside, in one test

    @functools.cache  # noqa: B019  (few different instances per process, used for every test)
    def items(self) -> dict[str, float]:
        """Return all thresholds by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}
