import re
from pathlib import Path

import pytest

from tdd_monitor import stylesheets
from tdd_monitor.ui import styles
from tdd_monitor.ui.text.parts import ROLES

UI = Path(styles.__file__).parent


def css() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in styles.css_paths())


def test_the_style_sheets_are_found_in_a_checkout() -> None:
    paths = styles.css_paths()
    assert [path.name for path in paths] == sorted(path.name for path in paths)
    assert all(path.parent.name == "css" for path in paths)


def test_the_style_sheets_of_an_installed_package_take_precedence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "a.tcss").write_text("")
    monkeypatch.setattr(stylesheets, "_PACKAGE", tmp_path)
    assert styles.css_paths() == [tmp_path / "css" / "a.tcss"]


def test_missing_style_sheets_are_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stylesheets, "_PACKAGE", tmp_path / "a" / "b")
    with pytest.raises(FileNotFoundError, match="install tdd-monitor again"):
        styles.css_paths()


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_look(role: str) -> None:
    assert re.search(rf"\.role--{role}\b", css())


def test_every_styled_role_exists() -> None:
    assert set(re.findall(r"\.role--([a-z-]+)", css())) == set(ROLES)


def test_no_colour_is_named_outside_the_style_sheets() -> None:
    pattern = re.compile(r"#[0-9a-fA-F]{6}\b|\brgb\(|\$(primary|accent|error|warning|success)")
    for path in UI.rglob("*.py"):
        assert not pattern.search(path.read_text(encoding="utf-8")), path


def test_colours_come_from_the_theme() -> None:
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b(?! *[{.,>])|rgb\(", re.sub(r"#[a-z-]+", "", css()))
