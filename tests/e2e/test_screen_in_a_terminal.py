import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.projects import MIXED, write
from support.terminal import Terminal


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, test_mixed=MIXED)


@pytest.fixture(params=[(80, 24), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
def watching(project: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    columns, rows = request.param
    terminal = Terminal(
        [sys.executable, "-m", "tdd_monitor", "watch", "tests", "--record", "run.ndjson"],
        project,
        columns,
        rows,
    )
    yield terminal
    terminal.close()


@pytest.mark.usefixtures("no_plugins")
def test_a_session_from_first_run_to_quit(watching: Terminal, project: Path) -> None:
    watching.shows("✗ failures", "1 failed", "test_passes", "test_teardown_error")
    watching.press("f")
    watching.shows("run 2", "3/3", "✗ failures")
    source = project / "tests" / "test_mixed.py"
    source.write_text(source.read_text().replace("[1, 3]", "[1, 2]"))
    watching.shows("saved test_mixed.py", "✗ failures", "3 passed")
    watching.press("q")
    assert watching.ends() == 0


@pytest.mark.usefixtures("all_plugins")
def test_a_replay_looks_like_the_run(project: Path) -> None:
    live = Terminal(
        [sys.executable, "-m", "tdd_monitor", "watch", "tests", "--no-watch", "--record", "r"], project
    )
    live.shows("✗ failures", "1 failed")
    live.press("q")
    assert live.ends() == 0
    replayed = Terminal([sys.executable, "-m", "tdd_monitor", "replay", "r", "--at-once"], project)
    replayed.shows("replay of r", "7/7", "1 failed", "test_passes")
    replayed.press("q")
    assert replayed.ends() == 0


@pytest.mark.usefixtures("no_plugins")
def test_a_tiny_terminal_shows_the_size_needed(project: Path) -> None:
    terminal = Terminal([sys.executable, "-m", "tdd_monitor", "watch", "tests"], project, 50, 12)
    terminal.shows("too small", "60 columns and 15 lines")
    terminal.press("q")
    assert terminal.ends() == 0
