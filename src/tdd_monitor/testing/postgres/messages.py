"""The starter's order to the supervisor, and the state that the supervisor publishes.

Imported by the supervisor, which runs without site-packages: standard library only, and named
tuples rather than dataclasses, whose import would take a quarter of the supervisor's start-up.
"""

import json
from pathlib import Path
from typing import NamedTuple

from . import files


class Order(NamedTuple):
    """Everything a supervisor needs; it looks up nothing itself."""

    lock_file: str
    has_lock: bool
    state_file: str
    socket_directory: str
    data_directory: str
    bin_directory: str
    version: str
    origin: str
    user_id: int | None
    group_id: int | None
    grace_s: float
    boot: str

    def to_json(self) -> str:
        """Return the order as one JSON object."""
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str) -> "Order":
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))


class Running(NamedTuple):
    """The running server, or the one that ran when its supervisor was killed."""

    supervisor_pid: int
    postmaster_pid: int
    control: str
    token: str
    host: str
    port: int
    version: str
    origin: str
    data_directory: str
    bin_directory: str
    boot: str

    def write(self, state_file: Path) -> None:
        """Publish the state atomically, readable by this user only: it contains the token."""
        files.replace(state_file, json.dumps(self._asdict()).encode())

    @classmethod
    def read(cls, state_file: Path) -> "Running | None":
        """Return the published state, None when there is no readable one.

        Projects with different versions of tdd-monitor share a server: unknown fields are ignored,
        and a new field needs a default.
        """
        try:
            found = json.loads(files.read(state_file))
            running = cls(**{name: found[name] for name in cls._fields if name in found})
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        kinds = zip(running, cls.__annotations__.values(), strict=True)
        return running if all(type(value) is kind for value, kind in kinds) else None
