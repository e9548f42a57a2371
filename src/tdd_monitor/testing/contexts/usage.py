"""The toolkit's work in a run, for one line at its end; pytest-xdist workers are summed up."""

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
        """Return the counts as a worker sends them to its controller."""
        return asdict(self)

    def add(self, counts: dict[str, int]) -> None:
        """Add the counts of a worker."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + counts.get(field.name, 0))

    def line(self) -> str:
        """Return the line for the end of a run; "" when there is nothing to report."""
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
            parts.append(f"{plural(self.renewals, 'database')} recreated after a commit")
        return "tdd-monitor: " + "; ".join(parts) if parts else ""


def left_line(left: Iterable[str]) -> str:
    """Return the line about what is new on the embedded server since the run began, such as `role bob`."""
    return (
        f"tdd-monitor: new on the embedded server since this run began: {', '.join(sorted(left))}."
        " No rollback undoes that, and it affects all projects: drop it in the test that creates it."
    )
