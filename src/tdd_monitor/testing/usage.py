"""What the toolkit did in this process, for the line at the end of a run."""

from dataclasses import dataclass


@dataclass
class Usage:
    """Counts since the start of the process."""

    contexts: int = 0
    connections: int = 0
    databases: int = 0
    renewals: int = 0
    own_databases: int = 0
