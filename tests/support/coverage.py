"""The coverage of child processes: pytest under `.ci/matrix.py coverage` measures them too."""

import os
import sys

_PREFIX = "COVERAGE_"


def without_coverage() -> dict[str, str]:
    """The environment for a child whose imports or other behaviour coverage would change."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}


def save_coverage() -> None:
    """Write what this process has measured: execnet kills a worker that takes long to exit."""
    if "coverage" in sys.modules:
        from coverage import Coverage

        current = Coverage.current()
        if current is not None:
            current.save()
