"""Calls back when a module has been imported."""

import importlib.util
import sys
from typing import Any, Callable, Dict, Optional


class _Finder:
    """First on sys.meta_path, it finds nothing itself: it lets the real loader call back."""

    def __init__(self) -> None:
        self.waiting: Dict[str, Callable[[], None]] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[Any]:
        """Part of the import protocol."""
        callback = self.waiting.pop(name, None)
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
            # On this one loader, rather than a loader of ours: `module.__loader__` stays what it is.
            loader.exec_module = exec_module  # type: ignore[union-attr]
        except AttributeError:
            self.waiting[name] = callback
        return spec


_finder = _Finder()


def after_import(name: str, callback: Callable[[], None]) -> None:
    """Call once `name` is imported: now, if it is already."""
    if name in sys.modules:
        callback()
        return
    _finder.waiting[name] = callback
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def catch_up() -> None:
    """For modules that were imported past the finder, by tests that replace sys.meta_path."""
    for name in [name for name in _finder.waiting if name in sys.modules]:
        _finder.waiting.pop(name)()
