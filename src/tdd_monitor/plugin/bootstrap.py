"""Runs pytest as `python -m pytest ARGS` would, with the monitor's plugin loaded.

Executed by path in the user's interpreter. It makes `tdd_monitor` importable without touching
sys.path, so that nothing else from the monitor's environment can be imported there. It must parse on
any Python, to print a message on an old interpreter instead of a SyntaxError.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, List, Optional, Tuple  # noqa: F401  (type comments: Python 2 must parse this)

OLDEST_PYTHON = (3, 9)
OLDEST_PYTEST = (7, 4)
OLDEST_PLUGGY = (1, 2)
REQUIRES_PLUGGY = (8, 0)  # the first pytest that itself requires OLDEST_PLUGGY
USAGE_ERROR = 4  # pytest's exit code
ARGUMENTS_OPTION = "--arguments-from="


def main():
    # type: () -> None
    """Check the interpreter, load the plugin, run pytest."""
    problem = _too_old_python()
    if problem is None:
        _set_path_like_dash_m()
        problem = _unusable_pytest()
    if problem is not None:
        sys.stderr.write("tdd-monitor: " + problem + "\n")
        sys.stderr.flush()
        sys.exit(USAGE_ERROR)
    _take_interrupts()
    import_monitor(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.argv[1:] = ["-p", "tdd_monitor.plugin"] + _arguments(sys.argv[1:])  # noqa: RUF005
    import contextlib
    import importlib
    import runpy

    # Before pytest installs its import hook, which would compile everything again. If the import fails,
    # the plugin reports it and pytest still starts.
    with contextlib.suppress(Exception):
        importlib.import_module("tdd_monitor.plugin.activation")
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


def _too_old_python():
    # type: () -> Optional[str]
    if sys.version_info >= OLDEST_PYTHON:
        return None
    return "%s is Python %s, but Python %s or newer is required: choose another with --python PATH" % (
        sys.executable,
        _dotted(sys.version_info[:2]),
        _dotted(OLDEST_PYTHON),
    )


def _take_interrupts():
    # type: () -> None
    """Handle SIGINT even in a background job, where shells ignore it: only the monitor sends it here."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _set_path_like_dash_m():
    # type: () -> None
    """`python -m` puts the working directory on sys.path where `python FILE` puts the file's directory."""
    if not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated:
        sys.path[0] = os.getcwd()


def _unusable_pytest():
    # type: () -> Optional[str]
    import importlib.util

    if importlib.util.find_spec("pytest") is None:
        return "%s has no pytest. Install it: %s -m pip install pytest" % (sys.executable, sys.executable)
    import pytest

    problem = _outdated(pytest, OLDEST_PYTEST)
    if problem is None and _numbers(getattr(pytest, "__version__", "")) < REQUIRES_PLUGGY:
        import pluggy

        # Only if needed: pluggy reads its version from its metadata, which takes a millisecond.
        problem = _outdated(pluggy, OLDEST_PLUGGY)
    return problem


def _outdated(module, oldest):
    # type: (Any, Tuple[int, ...]) -> Optional[str]
    version = getattr(module, "__version__", "")
    if not _numbers(version) or _numbers(version) >= oldest:
        return None
    return "%s %s is too old, %s or newer is required: %s -m pip install --upgrade pytest pluggy" % (
        module.__name__,
        version,
        _dotted(oldest),
        sys.executable,
    )


def _numbers(version):
    # type: (str) -> Tuple[int, ...]
    """Parse "7.4.2" to (7, 4); () for a version of another form."""
    parts = version.split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def _dotted(version):
    # type: (Iterable[int]) -> str
    return ".".join(str(part) for part in version)


def _arguments(given):
    # type: (List[str]) -> List[str]
    """Arguments for pytest; those too long for a command line come in a JSON file."""
    if len(given) == 1 and given[0].startswith(ARGUMENTS_OPTION):
        import io
        import json

        with io.open(given[0][len(ARGUMENTS_OPTION) :], encoding="utf-8") as file:
            return list(json.load(file))
    return given


def import_monitor(directory):
    # type: (str) -> None
    """Import the copy of tdd_monitor in `directory`, even if another version is installed."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(
        "tdd_monitor", os.path.join(directory, "__init__.py"), submodule_search_locations=[directory]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tdd_monitor"] = module
    spec.loader.exec_module(module)
    # pytest rewrites the assertions of plugins and warns about those already imported.
    module.__doc__ = "%s PYTEST_DONT_REWRITE" % (module.__doc__ or "")


if __name__ == "__main__":
    main()
