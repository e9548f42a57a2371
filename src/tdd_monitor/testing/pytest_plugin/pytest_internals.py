"""The private names of pytest that the toolkit uses, with fallbacks."""

from typing import Any

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.testing.limits import limited


def modules_with(fixture: str, item: Any) -> list[str]:
    """The module of the fixture that a test will use; empty if it has none or that is unknown."""
    try:
        definitions = item._fixtureinfo.name2fixturedefs.get(fixture, ())
    except AttributeError:
        compat = Compat("pytest")
        compat.lose("the first test waits for its database", ["Function._fixtureinfo"])
        limited(compat)
        return []
    return [definitions[-1].func.__module__] if definitions else []
