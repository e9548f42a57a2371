"""The recipes of docs/toolkit.md run as they stand there."""

import re
from pathlib import Path

from .conftest import Run

DOCUMENT = Path(__file__).parents[2] / "docs" / "toolkit.md"


def test_every_recipe_works(run_pytest: Run) -> None:
    blocks = re.findall(r"```python\n# (\w+)\.py\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    files = {name: f"# {name}.py\n{code}" for name, code in blocks}
    assert len(files) == len(blocks) > 8
    try:
        import psycopg  # noqa: F401
    except ImportError:
        del files["test_plain"]
    result = run_pytest("-ra", "--strict-markers", **files)
    assert re.search(r"=+ \d+ passed in", result.stdout), result.stdout + result.stderr
