"""What the toolkit does without, where a library has other internals than it knows: told when a run ends."""

from tdd_monitor.plugin.compat import Compat

_notices: dict[str, None] = {}


def limited(compat: Compat) -> None:
    """Keep what the library has not got for the end of the run; nothing when it has everything."""
    if notice := compat.notice():
        _notices[notice] = None


def notices() -> list[str]:
    """Return all of it, a message each."""
    return list(_notices)
