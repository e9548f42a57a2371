"""Errors of the embedded server. Each message says what happened, where, and what to do."""


class EmbeddedPostgresError(RuntimeError):
    """A request to the embedded PostgreSQL failed; base class of all errors of this package."""


class PostgresUnavailable(EmbeddedPostgresError):  # noqa: N818 - the public name
    """This machine has no PostgreSQL programs."""


class StorageError(EmbeddedPostgresError):
    """No directory can hold the server's data: read-only, unreachable, or the disk is full."""


class ServerStartError(EmbeddedPostgresError):
    """The programs and the directory exist, but the server did not start."""


class ProcessWatchError(EmbeddedPostgresError):
    """The server is running, but cannot be kept running for the lifetime of another process."""
