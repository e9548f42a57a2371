"""Checks whether installed libraries still have the private names that we use, and reports missing ones.

Code that uses such names checks here first and works without missing ones: an AttributeError of ours must
never reach a test.
"""

import sys
from typing import Any, List, Sequence


class Compat:
    """Checks an imported library for the private names that we use."""

    def __init__(self, library: str) -> None:
        self.library = library
        self._lost: List[str] = []
        self._absent: List[str] = []

    def has(self, lost: str, *names: str) -> bool:
        """Whether the library has all names, such as "pool.Pool._acquire"; `lost` is what depends on them."""
        absent = [name for name in names if not _reaches(sys.modules[self.library], name)]
        if absent:
            self.lose(lost, absent)
        return not absent

    def lose(self, lost: str, absent: Sequence[str]) -> None:
        """Record a loss directly, for names that exist on instances but not on classes."""
        self._lost.append(lost)
        self._absent += [name for name in absent if name not in self._absent]

    def notice(self) -> str:
        """One message on everything lost since the last notice; "" for nothing."""
        lost, absent = "; ".join(self._lost), ", ".join([_short(name) for name in self._absent])
        self._lost.clear()
        self._absent.clear()
        if not lost:
            return ""
        return "%s: %s, because this version has no %s. Upgrade tdd-monitor." % (
            named(self.library),
            lost,
            absent,
        )


def named(library: str) -> str:
    """The library and its version, such as "asyncpg 0.31.0" or "asyncio of Python 3.13.0"."""
    version = getattr(sys.modules.get(library), "__version__", "")
    return "%s %s" % (library, version or "of Python " + sys.version.split()[0])


def _short(path: str) -> str:
    return ".".join(path.split(".")[-2:])


def _reaches(root: Any, path: str) -> bool:
    for name in path.split("."):
        try:
            root = getattr(root, name)
        except AttributeError:
            return False
    return True
