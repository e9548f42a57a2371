"""Names for pools: database and host, never the user or password."""

from typing import Any, Dict
from urllib.parse import parse_qs, unquote, urlsplit


def pool_name(dsn: Any, host: str = "", database: str = "") -> str:
    """Return a name such as `shop@localhost` from a URL or key=value pairs; "" if neither has any part."""
    known = _parts(dsn) if isinstance(dsn, str) else {}
    database = database or known.get("database", "")
    host = host or known.get("host", "")
    if host.startswith("/"):
        host = "local"  # the directory of a unix socket
    return "@".join(filter(None, (database, host)))


def _parts(dsn: str) -> Dict[str, str]:
    if "://" not in dsn:
        pairs = dict(word.split("=", 1) for word in dsn.split() if "=" in word)
        return {"host": pairs.get("host", ""), "database": pairs.get("dbname", "")}
    try:
        url = urlsplit(dsn)
        query = parse_qs(url.query)
        host = url.hostname or query.get("host", [""])[0]
        return {"host": unquote(host), "database": unquote(url.path.lstrip("/"))}
    except ValueError:
        return {}
