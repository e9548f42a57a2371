"""A file of baselines: names and numbers, sorted, one per line, so that it can be committed and compared."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

BASELINE_FILE = "tdd_performance_baseline.json"


class BaselineError(ValueError):
    """The baseline file cannot be used; the message says what to do."""


def read(path: Path) -> dict[str, float]:
    """The content of the file, empty if there is none. Raises BaselineError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BaselineError(f"{path} is not valid JSON ({error}). Delete or restore it.") from error
    if not isinstance(content, dict) or not all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in content.values()
    ):
        raise BaselineError(f"{path} is not a baseline: it must map names to numbers. Delete or restore it.")
    return content


def write(path: Path, baselines: Mapping[str, float]) -> None:
    """Replace the file in one step, so that readers never see partial content. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(dict(sorted(baselines.items())), file, indent=2)
            file.write("\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
