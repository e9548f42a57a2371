import sys
from pathlib import Path

import pytest

from tdd_monitor.runner.pytest_process.interpreter import InterpreterError, find_python


def make_environment(directory: Path) -> Path:
    python = directory / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    return python


def test_the_chosen_one_wins(tmp_path: Path) -> None:
    chosen = make_environment(tmp_path / "chosen")
    make_environment(tmp_path / ".venv")
    assert find_python("chosen", tmp_path, {}) == str(chosen)
    assert find_python(str(chosen), tmp_path, {"VIRTUAL_ENV": "/other"}) == str(chosen)


def test_the_active_environment_comes_before_the_project(tmp_path: Path) -> None:
    active = make_environment(tmp_path / "active")
    project = make_environment(tmp_path / ".venv")
    assert find_python("", tmp_path, {"VIRTUAL_ENV": str(tmp_path / "active")}) == str(active)
    assert find_python("", tmp_path, {}) == str(project)


def test_without_any_it_is_our_own(tmp_path: Path) -> None:
    assert find_python("", tmp_path, {}) == sys.executable


def test_a_wrong_choice_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InterpreterError, match=r"no-such-python[\s\S]*--python"):
        find_python("no-such-python", tmp_path, {})
