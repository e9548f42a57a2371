"""The private names of pytest that the plugin uses, with fallbacks for when they are missing."""

from typing import Any, Callable, Iterable, Optional, Set

import pytest

from tdd_monitor.plugin.compat import Compat

# The function behind a parameter's fixture: pytest passes parameters to tests as fixtures.
PARAMETER = "get_direct_param_fixture_func"


class PytestInternals:
    """Reads what pytest has no public API for; `on_notice` is called once per missing name."""

    def __init__(self, on_notice: Callable[[str], None]) -> None:
        self._on_notice = on_notice
        self._compat = Compat("pytest")
        self._lost: Set[str] = set()

    def used_fixtures(self, item: Any) -> Iterable[Any]:
        """Definitions of all fixtures that an item has used, including those requested by getfixturevalue."""
        used = getattr(getattr(item, "_request", None), "_fixture_defs", None)
        if used is not None:
            return used.values()  # type: ignore[no-any-return]
        if isinstance(item, pytest.Function):  # other items have no fixtures anyway
            self._lose("reuse of shared fixtures is not recorded", "FixtureRequest._fixture_defs")
        return ()

    def redirect(self, terminal: Any, tee: Callable[[Any], Any]) -> Optional[Callable[[], None]]:
        """Make the terminal reporter write to `tee(file)`; returns a function that undoes this."""
        writer = getattr(terminal, "_tw", None)
        file = getattr(writer, "_file", None)
        if writer is not None and file is not None:
            writer._file = tee(file)
            return lambda: setattr(writer, "_file", file)
        if terminal is not None:
            self._lose("output around the tests is not recorded", "TerminalReporter._tw")
        return None

    def _lose(self, what: str, name: str) -> None:
        if what not in self._lost:
            self._lost.add(what)
            self._compat.lose(what, [name])
            self._on_notice(self._compat.notice())
