"""Executed as text by execnet in an xdist worker, before the worker's pytest starts.

Makes `tdd_monitor.plugin` importable there, from our files or from sources sent by the controller, and
sets the worker's request. Even on failure the worker's pytest must find a plugin of that name.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict  # noqa: F401  (type comments: any Python must parse this)

WANTS_SOURCES = "sources"
WANTS_RELAY = "relay"
READY = "ready"
NAME = "tdd_monitor.plugin"


def enter(channel):
    # type: (Any) -> None
    """Handle the controller's request; the last answer is READY or an error."""
    order = channel.receive()
    try:
        if sys.version_info < (3, 9):
            raise ImportError("Python %d.%d is too old" % sys.version_info[:2])
        request = order["request"]
        if not _import_files(order["directory"]):
            channel.send(WANTS_SOURCES)
            _import_sources(channel.receive())
            channel.send(WANTS_RELAY)
            request["channel"] = channel.receive()
        import importlib

        importlib.import_module(NAME).set_request(request)
        answer = READY
    except Exception as error:  # noqa: BLE001 - the controller reports it
        answer = "%s: %s" % (type(error).__name__, error)
        import types

        sys.modules.setdefault("tdd_monitor", types.ModuleType("tdd_monitor"))
        sys.modules[NAME] = types.ModuleType(NAME, "PYTEST_DONT_REWRITE")
    channel.send(answer)


def _import_files(directory):
    # type: (str) -> bool
    """False if our files are not accessible here; an empty `directory` means not to look for them."""
    bootstrap = os.path.join(directory, "plugin", "bootstrap.py")
    if not directory or not os.path.isfile(bootstrap):
        return False
    import runpy

    runpy.run_path(bootstrap, run_name="tdd_monitor_bootstrap")["import_monitor"](directory)
    return True


def _import_sources(sources):
    # type: (Dict[str, str]) -> None
    for name in [name for name in sys.modules if (name + ".").startswith("tdd_monitor.")]:
        del sys.modules[name]
    sys.meta_path.insert(0, SourceFinder(sources))


class SourceFinder:
    """Imports modules from source text; a name that ends with a dot is a package."""

    def __init__(self, sources):
        # type: (Dict[str, str]) -> None
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        # type: (str, Any, Any) -> Any
        """Part of the import protocol."""
        import importlib.machinery

        loader = self  # type: Any
        if name + "." in self.sources:
            return importlib.machinery.ModuleSpec(name, loader, is_package=True)
        return importlib.machinery.ModuleSpec(name, loader) if name in self.sources else None

    def create_module(self, spec):
        # type: (Any) -> None
        """Use the default module type."""

    def exec_module(self, module):
        # type: (Any) -> None
        """Execute the source, under a name that tracebacks can show."""
        name = module.__name__
        text = self.sources.get(name + ".", self.sources.get(name, ""))
        exec(compile(text, "<%s>" % name, "exec", dont_inherit=True), module.__dict__)
        module.__doc__ = "%s PYTEST_DONT_REWRITE" % (module.__doc__ or "")


if __name__ == "__channelexec__":
    enter(channel)  # type: ignore[name-defined]  # noqa: F821
