"""Copies the sample project of `tdd-monitor demo`.

`sample/` is data, not part of this package: a small shop whose tests have the problems that the
monitor reveals. It is never imported from here, only copied and then run by pytest.
"""

import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

# The sample's imports beyond tdd-monitor's own requirements: module and package.
_NEEDED = {"pytest_asyncio": "pytest-asyncio", "sqlalchemy": "sqlalchemy", "greenlet": "greenlet"}
_SAMPLE = Path(__file__).with_name("sample")


def missing_packages() -> list[str]:
    """Return the packages of the extra `demo` that the sample needs and this interpreter lacks."""
    return [package for module, package in _NEEDED.items() if find_spec(module) is None]


def copy_sample(destination: Path | None = None) -> Path:
    """Copy the sample project and return the directory of the copy, which the user may edit.

    Without `destination` that is a new temporary directory `tdd-monitor-demo-XXXX`, which is never
    removed. Raises FileExistsError when `destination` is not empty.
    """
    if destination is None:
        destination = Path(tempfile.mkdtemp(prefix="tdd-monitor-demo-"))
    elif destination.exists() and any(destination.iterdir()):
        raise FileExistsError(f"{destination} is not empty: choose a new directory for the sample project")
    for source in sorted(_SAMPLE.rglob("*")):
        relative = source.relative_to(_SAMPLE)
        if source.is_file() and "__pycache__" not in relative.parts:
            target = destination / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            # Contents only: an installed package may be read-only, its copy must be writable.
            shutil.copyfile(source, target)
    return destination
