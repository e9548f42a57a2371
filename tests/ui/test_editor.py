import sys
from pathlib import Path

import pytest

from tdd_monitor.ui import editor

FILE = Path("/shop/tests/test_a.py")


@pytest.mark.parametrize(
    ("setting", "command"),
    [
        ("vi", ["vi", "+12", str(FILE)]),
        ("/usr/bin/nvim -p", ["/usr/bin/nvim", "-p", "+12", str(FILE)]),
        ("nano", ["nano", "+12", str(FILE)]),
        ("emacs -nw", ["emacs", "-nw", "+12", str(FILE)]),
        ("emacsclient -t", ["emacsclient", "-t", "+12", str(FILE)]),
        ("code --wait", ["code", "--wait", "--goto", f"{FILE}:12"]),
        ("hx", ["hx", f"{FILE}:12"]),
        ("subl", ["subl", f"{FILE}:12"]),
        ("pycharm", ["pycharm", "--line", "12", str(FILE)]),
        ("notepad++.exe", ["notepad++.exe", "-n12", str(FILE)]),
        ("my-editor", ["my-editor", str(FILE)]),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="quoting of paths differs")
def test_each_editor_gets_the_line_in_its_own_syntax(setting: str, command: list[str]) -> None:
    assert editor.command(setting, FILE, 12) == command


def test_without_a_line_the_editor_gets_only_the_file() -> None:
    assert editor.command("vi", FILE, 0) == ["vi", str(FILE)]


def test_visual_precedes_editor_and_there_is_a_default() -> None:
    assert editor.chosen({"VISUAL": "hx", "EDITOR": "nano"}) == "hx"
    assert editor.chosen({"VISUAL": " ", "EDITOR": "nano"}) == "nano"
    assert editor.chosen({}) in ("vi", "notepad")


def test_relative_paths_are_resolved_against_the_root_directory(tmp_path: Path) -> None:
    assert editor.locate("tests/a.py:7", str(tmp_path), Path("/else")) == (tmp_path / "tests/a.py", 7)
    assert editor.locate("tests/a.py", "", tmp_path) == (tmp_path / "tests/a.py", 0)
    absolute = str(tmp_path / "b.py")
    assert editor.locate(f"{absolute}:3", "/else", Path("/else")) == (tmp_path / "b.py", 3)
