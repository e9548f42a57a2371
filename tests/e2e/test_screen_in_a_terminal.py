import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.projects import MIXED, write
from support.terminal import Terminal

MONITOR = [sys.executable, "-m", "tdd_monitor"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, test_mixed=MIXED)


@pytest.fixture
def watching(project: Path) -> Iterator[Terminal]:
    terminal = Terminal([*MONITOR, "watch", "tests", "--record", "r"], project)
    yield terminal
    terminal.close()


@pytest.mark.usefixtures("no_plugins")
def test_a_session_from_first_run_to_quit_in_a_terminal_that_is_resized(
    watching: Terminal, project: Path
) -> None:
    first = watching.shows("✗ failures", "7/7", "1 failed", "test_passes", "test_teardown_error")
    assert "Memory" not in first
    watching.press("f")
    watching.shows("run 2", "3/3", "✗ failures")
    watching.resize(200, 50)
    watching.shows("run 2", "3/3", "✗ failures", "Memory", "test_teardown_error")
    source = project / "tests" / "test_mixed.py"
    source.write_text(source.read_text().replace("[1, 3]", "[1, 2]"))
    watching.shows("saved test_mixed.py", "✗ failures", "3 passed")
    watching.resize(50, 12)
    watching.shows("too small", "60 columns and 15 lines")
    watching.press("q")
    assert watching.ends() == 0

    replayed = Terminal([*MONITOR, "replay", "r", "--at-once"], project, 120)
    replayed.shows("replay of r", "run 3", "✗ failures", "3 passed", "test_passes")
    replayed.press("q")
    assert replayed.ends() == 0
