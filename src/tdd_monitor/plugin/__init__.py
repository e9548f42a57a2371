"""The part of tdd-monitor that runs inside the user's pytest.

Loaded by a monitor. Tests and the toolkit also import it, for `record_metric` and `shared_work`, so it
imports almost nothing: the rest is in `activation`, imported only when a monitor requests it.
PYTEST_DONT_REWRITE: nothing here asserts, and bootstrap.py imports it before pytest could rewrite.
"""

import contextlib
import os
import sys
from typing import Any, ContextManager, Dict, Optional

_PREFIX = "TDD_MONITOR_"
_WANTED = ("ADDRESS", "TOKEN", "RUN", "MEMORY", "REPEAT")

# The monitor's request to this process. None without a monitor, and None again once the first Config has
# claimed it: a pytest run inside a test must not report.
_request: Optional[Dict[str, Any]] = None
_recorder: Any = None


def _read_environment() -> None:
    """Move the request out of the environment, where child processes and tests would find it."""
    global _request
    if _PREFIX + "ADDRESS" in os.environ:
        _request = {name.lower(): os.environ.pop(_PREFIX + name, "") for name in _WANTED}


def set_request(request: Dict[str, Any]) -> None:
    """Make the next Config of this process report; called in xdist workers on the controller's behalf."""
    global _request
    _request = request


def record_metric(name: str, value: float) -> None:
    """Add a named value to the metrics of the running test. A no-op without a monitor."""
    if _recorder is not None:
        _recorder.record_metric(name, value)


def shared_work(name: str) -> ContextManager[None]:
    """Wrap work that one test does for later tests too: like a fixture, it gets its own record.

    A no-op without a monitor.
    """
    if _recorder is None:
        return contextlib.nullcontext()
    work: ContextManager[None] = _recorder.shared_work(name)
    return work


def use_shared_work(name: str) -> None:
    """Count the running test as a user of the result of that `shared_work`."""
    if _recorder is not None:
        _recorder.use_shared_work(name)


def ignore_thread() -> None:
    """Stop attributing this thread's database work to tests: it works for all of them."""
    if _recorder is not None:
        _recorder.ignore_thread()


def pytest_load_initial_conftests(early_config: Any) -> None:
    """Claim the request before any conftest is imported, so that drivers are observed from the start."""
    global _request, _recorder
    if _request is not None:
        request, _request = _request, None
        try:
            from tdd_monitor.plugin.activation import activate

            _recorder = activate(early_config, request)
        except Exception as error:  # noqa: BLE001 - the tests must run even if they cannot be measured
            import atexit

            # At exit, because pytest captures and drops earlier output.
            atexit.register(_print_unmeasured, "%s: %s" % (type(error).__name__, error))


def _print_unmeasured(why: str) -> None:
    python = sys.version.split()[0]
    sys.stderr.write(
        "tdd-monitor: error: tests not measured: the plugin failed on Python %s: %s\n" % (python, why)
    )


_read_environment()
