"""The README says what is so."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from tdd_monitor.config import Settings
from tdd_monitor.ui.actions import markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_keys_are_those_of_the_action_table() -> None:
    block = README.partition("<!-- keys: made by tdd_monitor.ui.actions.markdown -->\n")[2]
    assert block.partition("<!-- /keys -->")[0].strip() == markdown().strip()


def test_ci_runs_the_test_command() -> None:
    command = ".venv/bin/pip install -e '.[dev]' && .venv/bin/pytest -n auto"
    assert command in README and command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_settings_are_the_defaults() -> None:
    (source,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    table = tomllib.loads(source)["tool"]["tdd-monitor"]
    defaults = Settings()
    assert table.pop("thresholds") == defaults.thresholds.items()
    assert table.pop("gate") == dataclasses.asdict(defaults.gate)
    for key, value in table.items():
        default = getattr(defaults, key)
        assert value == (list(default) if isinstance(default, tuple) else default), key


@pytest.mark.parametrize("picture", re.findall(r"\]\((screenshots/[^)]+)\)", README))
def test_pictures_exist(picture: str) -> None:
    assert (ROOT / picture).is_file()
