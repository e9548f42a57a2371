"""Which database the tests may use.

The order is a safety rule: a DATABASE_URL in the environment may well point to a production
database, so it is used only when the project says so.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

OWN_VARIABLE = "TDD_MONITOR_DATABASE_URL"
COMMON_VARIABLE = "DATABASE_URL"


@dataclass(frozen=True)
class DatabaseUrl:
    """The user's database; `source` says where its URL was found."""

    url: str
    source: str

    @property
    def shown(self) -> str:
        """The URL without its password, for messages."""
        parts = urlsplit(self.url)
        user, at, host = parts.netloc.rpartition("@")
        user = re.sub(":.*", ":***", user)
        query = re.sub(r"(?i)(password=)[^&]*", r"\1***", parts.query)
        return f"{parts.scheme}://{user}{at}{host}{parts.path}" + (f"?{query}" if query else "")


def find_database_url(project: Path, environment: Mapping[str, str] | None = None) -> DatabaseUrl | None:
    """Return the database that the project configures, or None for the embedded server.

    `[tool.tdd-monitor] database_url`, else TDD_MONITOR_DATABASE_URL, else DATABASE_URL where
    `use_database_url = true`. Raises `tdd_monitor.config.ConfigError` when pyproject.toml is wrong.
    """
    from tdd_monitor.config.settings import load

    settings = load(project)
    variables = os.environ if environment is None else environment
    if settings.database_url:
        return DatabaseUrl(_plain(settings.database_url), "[tool.tdd-monitor] database_url")
    if variables.get(OWN_VARIABLE):
        return DatabaseUrl(_plain(variables[OWN_VARIABLE]), OWN_VARIABLE)
    if settings.use_database_url and variables.get(COMMON_VARIABLE):
        return DatabaseUrl(_plain(variables[COMMON_VARIABLE]), COMMON_VARIABLE)
    return None


def with_database(url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    parts = urlsplit(url)
    # An empty host must keep its slashes, which urlunsplit drops for unknown schemes.
    path = urlunsplit(("", "", f"/{database}", parts.query, ""))
    return f"{parts.scheme}://{parts.netloc}{path}"


def _plain(url: str) -> str:
    """Strip SQLAlchemy's `+driver`."""
    scheme, colon, rest = url.partition(":")
    return scheme.partition("+")[0] + colon + rest
