"""What the toolkit did in a run, for one line at its end; workers of pytest-xdist are added up."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

from tdd_monitor.figures import plural


@dataclass
class Usage:
    """Counts since the start of the process."""

    contexts: int = 0
    connections: int = 0
    databases: int = 0
    renewals: int = 0
    own_databases: int = 0
    schema_hits: int = 0
    schema_misses: int = 0
    ddl_operations_saved: int = 0

    def plain(self) -> dict[str, int]:
        """As a worker sends it to its controller."""
        return asdict(self)

    def add(self, counts: dict[str, int]) -> None:
        """Add what a worker has sent."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + counts.get(field.name, 0))

    def line(self) -> str:
        """The line at the end of a run; "" when there is nothing to tell."""
        parts = []
        if self.contexts:
            where = f"{plural(self.connections, 'connection')}, {plural(self.databases, 'database')}"
            parts.append(f"{plural(self.contexts, 'context')} on {where}")
        lookups = self.schema_hits + self.schema_misses
        if lookups:
            saved = plural(self.ddl_operations_saved, "DDL operation")
            parts.append(f"schema reused {self.schema_hits:,} of {lookups:,} times, {saved} saved")
        if self.own_databases:
            parts.append(f"{plural(self.own_databases, 'own database')}")
        if self.renewals:
            parts.append(f"{plural(self.renewals, 'database')} made anew after a commit")
        return "tdd-monitor: " + "; ".join(parts) if parts else ""


def left_line(left: Iterable[str]) -> str:
    """The line about what is new on the embedded server since the run began, such as `role bob`."""
    return (
        f"tdd-monitor: new on the embedded server since this run began: {', '.join(sorted(left))}."
        " No roll-back undoes that, and all projects have it: let the test that makes it drop it."
    )
