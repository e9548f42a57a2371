"""The troubles of the embedded server. Each message says what happened, where, and what to do."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL could not do what was asked; base of all errors of this room."""


class PostgresUnavailable(EmbeddedPostgresError):  # noqa: N818 - the public name
    """There are no PostgreSQL programs on this machine that could be started."""


class StorageError(EmbeddedPostgresError):
    """No directory can hold the server's data: read-only, unreachable, or the disk is full."""


class ServerStartError(EmbeddedPostgresError):
    """The programs and the place are there, yet the server did not come up."""


class ProcessWatchError(EmbeddedPostgresError):
    """The server runs, yet it cannot be kept up for as long as another process lives."""
