"""`tdd-monitor demo` where its extras are missing."""

import os
import subprocess
from pathlib import Path

import pytest
from plugin.interpreters import made

import tdd_monitor

# Those of pyproject.toml without any extra.
BASE = ("asyncpg", "click>=8.1,<9", "platformdirs", "psutil", "pytest", "textual>=8.2,<9", "watchdog")


def test_the_extra_to_install_is_named(tmp_path: Path) -> None:
    interpreter = made("3.11", BASE)
    if not interpreter.python:
        pytest.skip(interpreter.reason)
    target = tmp_path / "sample"
    source = str(Path(tdd_monitor.__file__).parents[1])
    done = subprocess.run(
        [interpreter.python, "-m", "tdd_monitor", "demo", "--headless", "--directory", str(target)],
        env=os.environ | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 4
    assert "pytest-asyncio, sqlalchemy" in done.stderr
    assert f"{interpreter.python} -m pip install 'tdd-monitor[demo]'" in done.stderr
    assert not target.exists()
