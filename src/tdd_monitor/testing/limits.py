"""Features that are off because a library's internals are unknown; reported at the end of the run."""

from tdd_monitor.plugin.compat import Compat

_notices: dict[str, None] = {}


def limited(compat: Compat) -> None:
    """Keep the notice about missing internals, if any, for the end of the run."""
    if notice := compat.notice():
        _notices[notice] = None


def notices() -> list[str]:
    """Return the notices, one message each."""
    return list(_notices)
