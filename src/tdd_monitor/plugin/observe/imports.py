"""Callbacks after the import of a module."""

import importlib.util
import sys
from typing import Any, Callable, Dict, Optional


class _Finder:
    """First on sys.meta_path; finds nothing itself, but makes the real loader call back."""

    def __init__(self) -> None:
        self.pending: Dict[str, Callable[[], None]] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[Any]:
        """Part of the import protocol."""
        callback = self.pending.pop(name, None)
        if callback is None:
            return None
        spec = importlib.util.find_spec(name)
        loader = getattr(spec, "loader", None)
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return spec

        def exec_module(module: Any) -> None:
            del loader.exec_module  # type: ignore[union-attr]
            execute(module)
            callback()

        try:
            # On the real loader, not on one of ours, so that `module.__loader__` is unchanged.
            loader.exec_module = exec_module  # type: ignore[union-attr]
        except AttributeError:
            self.pending[name] = callback
        return spec


_finder = _Finder()


def after_import(name: str, callback: Callable[[], None]) -> None:
    """Call back once `name` is imported, at once if it already is."""
    if name in sys.modules:
        callback()
        return
    _finder.pending[name] = callback
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def catch_up() -> None:
    """Call back for modules whose import bypassed the finder, in tests that replace sys.meta_path."""
    for name in [name for name in _finder.pending if name in sys.modules]:
        _finder.pending.pop(name)()
