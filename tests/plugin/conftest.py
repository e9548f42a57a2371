"""Interpreters to run suites in, and a way to write suites down."""

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin import interpreters

collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []  # Unix sockets and forks throughout

Suite = Callable[..., Path]


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Write `name=text` as name.py into a directory, which is returned."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture(scope="session")
def newest() -> str:
    """Python of an environment with the newest pytest and the plugins that suites use most."""
    versions = sorted(interpreters.pythons(), key=lambda version: int(version.partition(".")[2]))
    usable = [version for version in versions if int(version.partition(".")[2]) >= 11]
    if not usable:
        pytest.skip("no Python 3.11 or newer here")
    return require(interpreters.made(usable[-1], interpreters.NEWEST))


def require(interpreter: interpreters.Interpreter) -> str:
    """Its python, or skip."""
    if not interpreter.python:
        pytest.skip(interpreter.reason)
    return interpreter.python
