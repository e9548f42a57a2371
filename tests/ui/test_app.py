"""The application as a whole: start, frames, end, themes, editor, pause."""

import gc
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from support import streams
from support.coverage import without_coverage
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES

from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.ui.screens.detail import DetailScreen
from tdd_monitor.ui.screens.pages import PagesScreen
from ui.screen import main, notes

MakeApp = Callable[..., MonitorApp]


def header(app: MonitorApp) -> str:
    return "\n".join("".join(text for text, _role in line) for line in main(app).header.lines)


async def frames(pilot: Pilot[None], count: int = 12) -> None:
    """Draw this many frames."""
    assert isinstance(pilot.app, MonitorApp)
    for _ in range(count):
        pilot.app._frame()
    await pilot.pause()


async def frames_until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Draw frames until a condition holds: O(tests) work follows at its own pace."""
    for _ in range(500):
        if holds():
            return
        await frames(pilot, 1)
    raise AssertionError("it did not hold after 500 frames")


@pytest.mark.asyncio
async def test_the_control_starts_after_the_first_frame_and_stops_at_the_end(make_app: MakeApp) -> None:
    app = make_app(streams.all_passed())
    gc.disable()
    try:
        async with app.run_test(size=(100, 30)) as pilot:
            while not app.control.requests:  # type: ignore[attr-defined]
                await pilot.pause()
            assert app.control.requests == [("start", None)]  # type: ignore[attr-defined]
            assert gc.isenabled()
    finally:
        gc.enable()
    assert app.control.requests == [("start", None), ("stop", None)]  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_incoming_data_are_shown_in_the_next_frames(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        app.repaint()
        assert "Starting pytest" in header(app)
        app.control.play(streams.shop())  # type: ignore[attr-defined]
        durations, alerts, *_others = main(app).panels
        await frames_until(pilot, lambda: "p50" in durations.text() and "critical" in alerts.text())
        assert "40/40" in header(app) and "✗ failures" in header(app)
        assert main(app).table.row_count() == 40
        shown = {panel.id: panel.text() for panel in main(app).panels}
        assert "p50" in shown["durations"] and "◆ critical" in shown["alerts"]
        assert "peak 86.1 MB" in shown["memory"] and "peak 10/10" in shown["pools"]
        assert "main" in shown["workers"]
        assert "8 critical" in str(main(app).panels[1].border_title)


@pytest.mark.asyncio
async def test_the_last_event_of_a_run_reaches_every_panel(make_app: MakeApp) -> None:
    lines = streams.shop()
    app = make_app(lines[:-1])
    async with app.run_test(size=(120, 36)) as pilot:
        app.repaint()
        assert "ended" not in main(app).panels[4].text()
        app.control.play(lines[-1:])  # type: ignore[attr-defined]
        await frames(pilot)
        assert "ended" in main(app).panels[4].text()


@pytest.mark.asyncio
async def test_a_paused_screen_does_not_change_and_says_so(make_app: MakeApp) -> None:
    lines = streams.shop()
    part = len(streams.shop(stop_after=10)) - 3
    app = make_app(lines[:part])
    async with app.run_test(size=(120, 36)) as pilot:
        app.repaint()
        await pilot.press("p")
        app.control.play(lines[part:])  # type: ignore[attr-defined]
        await frames(pilot)
        assert "‖ PAUSED" in header(app) and "40/40" not in header(app)
        await pilot.press("p")
        await frames(pilot)
        assert "PAUSED" not in header(app) and "40/40" in header(app)


@pytest.mark.asyncio
async def test_detail_and_pages_follow_the_run(make_app: MakeApp) -> None:
    part = len(streams.shop(stop_after=0))
    app = make_app(streams.shop(stop_after=0))
    async with app.run_test(size=(120, 36)) as pilot:
        app.repaint()
        await pilot.press("g", "enter")
        await pilot.pause()
        await frames(pilot)
        assert isinstance(app.screen, DetailScreen)
        assert "Running for" in app.screen.body.text()
        app.control.play(streams.shop()[part - 3 :])  # type: ignore[attr-defined]
        await frames(pilot)
        assert "own time" in app.screen.body.text()
        await pilot.press("o")
        await pilot.pause()
        app.control.output.extend(["one", "two"])
        await frames(pilot)
        app.repaint()
        await frames(pilot)
        assert isinstance(app.screen, PagesScreen)
        assert app.screen.body.text().endswith("one\ntwo")


@pytest.mark.parametrize("key", ["o", "enter"])
@pytest.mark.asyncio
async def test_a_resize_keeps_the_place_in_a_text(make_app: MakeApp, key: str) -> None:
    app = make_app(streams.shop())
    app.control.output.extend(f"line {number}" for number in range(100))
    async with app.run_test(size=(120, 20)) as pilot:
        app.repaint()
        await pilot.press(key)
        await frames(pilot)
        await pilot.press("g", "j", "j")
        assert isinstance(app.screen, DetailScreen | PagesScreen) and app.screen.body.cursor == 2
        await pilot.resize_terminal(90, 24)
        await frames(pilot)
        assert app.screen.body.cursor == 2


@pytest.mark.asyncio
async def test_an_unknown_theme_is_reported_and_the_default_used(make_app: MakeApp) -> None:
    app = make_app(theme="no-such-theme")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.theme == "textual-dark"
        assert "Unknown theme 'no-such-theme'" in notes(app)[0] and "textual-light" in notes(app)[0]


@pytest.mark.parametrize(
    "theme", [theme for theme in BUILTIN_THEMES if theme.endswith(("-light", "nord", "gruvbox", "ansi-dark"))]
)
@pytest.mark.asyncio
async def test_themes_of_textual_work(make_app: MakeApp, theme: str) -> None:
    app = make_app(streams.shop(stop_after=30), theme=theme)
    async with app.run_test(size=(120, 36)) as pilot:
        app.repaint()
        await pilot.pause()
        assert app.theme == theme
        table = main(app).table
        failed, passed = table.role_style("failed"), table.role_style("passed")
        assert failed.color != passed.color


@pytest.mark.asyncio
async def test_changing_the_theme_repaints_the_roles(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(120, 36)) as pilot:
        app.repaint()
        before = main(app).table.role_style("text")
        app.theme = "textual-light"
        await pilot.pause()
        assert main(app).table.role_style("text") != before


@pytest.mark.asyncio
async def test_too_small_a_terminal_says_what_it_needs(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(59, 30)) as pilot:
        for size in ((59, 30), (100, 14), (20, 5)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            shown = [widget.id for widget in main(app).children if widget.display]
            assert shown == ["too-small"], size
            await pilot.resize_terminal(80, 24)
            await pilot.pause()
            assert main(app).table.display and not main(app).query_one("#too-small").display


@pytest.mark.asyncio
async def test_a_smaller_terminal_keeps_the_cursor_visible(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(120, 50)) as pilot:
        app.repaint()
        await pilot.press(*"jjjjjjjjjjjj")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        app.repaint()
        await pilot.pause()
        table = main(app).table
        assert 0 <= table.cursor - table.scroll_offset.y < table.page


@pytest.mark.asyncio
async def test_a_terminal_that_cannot_be_handed_to_an_editor_is_reported(
    make_app: MakeApp, tmp_path: Path
) -> None:
    stream = streams.Stream()
    stream.open("r", "all", "")
    app = make_app(stream.lines)
    (tmp_path / "test_a.py").write_text("")
    async with app.run_test() as pilot:
        await pilot.pause()
        await app._edit(f"{tmp_path / 'test_a.py'}:3")
        await pilot.pause()
        assert notes(app) == ["Cannot open an editor in this terminal."]


@pytest.mark.skipif(sys.platform == "win32", reason="the editor is a shell script")
@pytest.mark.asyncio
async def test_the_editor_gets_file_and_line(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    (tmp_path / "test_a.py").write_text("")
    script = tmp_path / "nano"
    script.write_text('#!/bin/sh\necho "$@" > "$(dirname "$0")/got"\n')
    script.chmod(0o755)
    monkeypatch.setattr(MonitorApp, "suspend", lambda self: nullcontext())
    monkeypatch.setenv("VISUAL", str(script))
    async with app.run_test() as pilot:
        await app._edit("test_a.py:3")
        assert (tmp_path / "got").read_text() == f"+3 {tmp_path / 'test_a.py'}\n"
        monkeypatch.setenv("VISUAL", "/no/such/editor")
        await app._edit("test_a.py:3")
        await pilot.pause()
        assert notes(app) == [
            "/no/such/editor cannot be started (No such file or directory). Set $VISUAL or $EDITOR."
        ]


@pytest.mark.asyncio
async def test_without_colour_outcomes_cursor_and_severity_are_distinguishable(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(streams.shop())
    async with app.run_test(size=(120, 60)) as pilot:
        app.repaint()
        await pilot.pause()
        table = main(app).table
        shown = "\n".join(table.render_line(y).text for y in range(table.size.height))
        for mark in ("▌", "✓ passed", "✗ failed", "x xfailed"):
            assert mark in shown
        assert "◆ critical" in main(app).panels[1].text()


def test_the_first_frame_needs_no_driver_and_no_other_tool() -> None:
    code = (
        "import sys, tdd_monitor.ui.app\n"
        "found = {'asyncpg', 'watchdog', 'sqlite3', 'pytest', 'click'} & set(sys.modules)\n"
        "print(sorted(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=without_coverage(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
