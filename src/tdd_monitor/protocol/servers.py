"""The name of a database server, the same everywhere."""

EMBEDDED = "embedded"


def server_name(host: str, port: "int | str") -> str:
    """host:port, or the directory of its Unix socket and the port."""
    directory, _, last = host.rpartition("/")
    if last == "pg" and directory.rpartition("/")[2].startswith("tdd-monitor-"):
        return EMBEDDED
    return "[%s]:%s" % (host, port) if ":" in host else "%s:%s" % (host, port)
