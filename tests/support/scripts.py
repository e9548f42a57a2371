"""What one test of a made-up suite does: its phases, fixtures, queries and outcome."""

from collections.abc import Iterator
from dataclasses import dataclass

from tdd_monitor.protocol.events import (
    FinishedTest,
    FixtureUse,
    Phase,
    PoolUse,
    Section,
    Statement,
    Subtest,
)

MS = 1_000_000
MB = 1024 * 1024

LIST_ITEMS = "SELECT name, price FROM items WHERE order_id = $1"
INSERT_ORDER = "INSERT INTO orders (customer_id, status) VALUES ($1, $2) RETURNING id"
FIRST = "tests/test_catalog.py::test_catalog_lists_products"


@dataclass
class Script:
    """What one test does; times in milliseconds."""

    nodeid: str
    outcome: str = "passed"
    setup: float = 0.9
    call: float = 6.0
    teardown: float = 0.4
    memory_mb: float = 0.0
    queries: int = 3
    peak: int = 1
    waiting: int = 0
    leaked: int = 0
    repeated: int = 0
    ddl_ms: float = 0.0
    longrepr: str = ""
    stdout: str = ""
    reruns: int = 0
    fixtures: tuple[FixtureUse, ...] = ()
    subtests: tuple[Subtest, ...] = ()

    @property
    def total_ms(self) -> float:
        """All phases."""
        return self.setup + self.call + self.teardown

    def attempts(self) -> list[str]:
        """Outcomes of the attempts, the last one deciding."""
        return ["rerun"] * self.reruns + [self.outcome]

    def record(self, outcome: str, attempt: int, started_ns: int, rss_bytes: int) -> FinishedTest:
        """The record of one attempt."""
        return FinishedTest(
            self.nodeid,
            outcome,
            attempt,
            started_ns,
            tuple(self._phases(outcome, rss_bytes)),
            self.fixtures or self._default_fixtures(),
            self.subtests,
            self._db(),
            peak_rss_bytes=rss_bytes + 4 * MB,
        )

    def _phases(self, outcome: str, rss_bytes: int) -> Iterator[Phase]:
        delta = int(self.memory_mb * MB)
        sections = (Section("Captured stdout call", self.stdout),) if self.stdout else ()
        if outcome == "skipped":
            yield Phase("setup", "skipped", int(0.2 * MS), int(0.2 * MS), rss_bytes, 0, self.longrepr)
            return
        if outcome == "error":
            yield Phase("setup", "failed", *_times(self.setup, 0.4), rss_bytes, 0, self.longrepr)
            return
        words = {"failed": "failed", "rerun": "rerun", "xfailed": "xfailed", "xpassed": "xpassed"}
        text = self.longrepr if outcome in words else ""
        yield Phase("setup", "passed", *_times(self.setup, 0.5), rss_bytes - delta)
        word = words.get(outcome, "passed")
        yield Phase("call", word, *_times(self.call, 0.3), rss_bytes, delta, text, sections)
        yield Phase("teardown", "passed", *_times(self.teardown, 0.5), rss_bytes)

    def _default_fixtures(self) -> tuple[FixtureUse, ...]:
        setup_ns = int(self.setup * 0.8 * MS)
        end_ns = int((self.setup + self.call) * MS)
        connection = FixtureUse(
            "connection",
            "function",
            setup_ns,
            setup_ns,
            int(self.teardown * 0.7 * MS),
            int(0.1 * MS),
            end_ns,
            baseid="tests/conftest.py",
        )
        pool = FixtureUse("pool", "session", cached=True, first_user=FIRST, baseid="tests/conftest.py")
        return (pool, connection)

    def _db(self) -> tuple[PoolUse, ...]:
        if not self.queries:
            return ()
        query_ns = int(self.call * 0.6 * MS)
        slowest = (
            Statement(INSERT_ORDER, 1, query_ns // 2),
            Statement(LIST_ITEMS, max(1, self.queries - 1), query_ns // 2),
        )
        repeated = (Statement(LIST_ITEMS, self.repeated, query_ns // 2),) if self.repeated else ()
        leaked_at = ("shop/export.py:31",) * min(1, self.leaked)
        wait_ns = int((18 if self.waiting else 0.4) * MS)
        return (
            PoolUse(
                "asyncpg",
                "shop",
                self.peak,
                wait_ns * self.peak,
                wait_ns,
                self.waiting,
                self.peak,
                self.leaked,
                leaked_at,
                self.queries,
                query_ns,
                1 if self.ddl_ms else 0,
                int(self.ddl_ms * MS),
                int(self.ddl_ms * MS),
                slowest,
                repeated,
            ),
        )


def _times(wall_ms: float, busy: float) -> tuple[int, int]:
    return int(wall_ms * MS), int(wall_ms * busy * MS)
