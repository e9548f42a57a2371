"""Where the embedded server listens."""

from dataclasses import dataclass
from urllib.parse import quote

USER = "postgres"


@dataclass(frozen=True)
class ServerAddress:
    """A host (the absolute directory of the Unix socket, or a host name) and a port."""

    host: str
    port: int

    @property
    def socket_directory(self) -> str | None:
        """The directory of the Unix socket, or None where the server listens on TCP."""
        return self.host if self.host.startswith("/") else None

    def url(self, database: str = "postgres") -> str:
        """Return a URL that asyncpg, libpq and SQLAlchemy (after its `+driver`) all accept."""
        name = quote(database, safe="")
        if self.socket_directory is None:
            return f"postgresql://{USER}@{self.host}:{self.port}/{name}"
        return f"postgresql://{USER}@/{name}?host={quote(self.host, safe='/')}&port={self.port}"

    def environment(self, database: str = "postgres") -> dict[str, str]:
        """Return the environment variables that point to this server: DATABASE_URL and libpq's own."""
        return {
            "DATABASE_URL": self.url(database),
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": USER,
            "PGDATABASE": database,
        }
