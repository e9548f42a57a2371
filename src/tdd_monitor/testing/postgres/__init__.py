"""The embedded PostgreSQL: one server per machine user, shared by all projects and workers.

`acquire_server()` starts or joins it; it stops by itself when the last lease is released. This package
starts, shares and stops the server; other packages manage its databases.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .address import ServerAddress as ServerAddress
    from .binaries import Binaries as Binaries
    from .binaries import find_binaries as find_binaries
    from .control import ServerStatus as ServerStatus
    from .control import reset_server as reset_server
    from .control import server_status as server_status
    from .control import stop_server as stop_server
    from .errors import EmbeddedPostgresError as EmbeddedPostgresError
    from .errors import PostgresUnavailable as PostgresUnavailable
    from .errors import ProcessWatchError as ProcessWatchError
    from .errors import ServerStartError as ServerStartError
    from .errors import StorageError as StorageError
    from .lease import ServerLease as ServerLease
    from .lease import acquire_server as acquire_server
    from .lease import hold_for as hold_for

_MODULES = {
    "address": ("ServerAddress",),
    "binaries": ("Binaries", "find_binaries"),
    "control": ("ServerStatus", "reset_server", "server_status", "stop_server"),
    "errors": (
        "EmbeddedPostgresError",
        "PostgresUnavailable",
        "ProcessWatchError",
        "ServerStartError",
        "StorageError",
    ),
    "lease": ("ServerLease", "acquire_server", "hold_for"),
}


def __getattr__(name: str) -> object:
    """Import a name on first use: most runs of pytest never start a server."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
