"""The figures that are compared between runs, by the name of their metric."""

from collections.abc import Callable

from tdd_monitor.figures import NS_PER_MS
from tdd_monitor.history.rows import Figures

# Durations vary from run to run: one value proves nothing.
NOISY: dict[str, Callable[[Figures], float]] = {
    "test_duration_ms": lambda figures: figures.wall_ns / NS_PER_MS,
    "cpu_ms": lambda figures: figures.cpu_ns / NS_PER_MS,
}
# Counts do not, unless the test itself does something else each time.
EXACT: dict[str, Callable[[Figures], int | None]] = {
    "queries": lambda figures: figures.queries,
    "ddl": lambda figures: figures.ddl,
    "pool_peak": lambda figures: figures.pool_peak,
    "leaked_connections": lambda figures: figures.leaked,
}
# Smaller changes of a duration are not worth a line.
MIN_FACTOR = 1.25
MIN_MS = 5.0
