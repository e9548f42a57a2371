"""From panels and alerts to tests, fixtures and pages, and back; by keys, menus and clicks."""

from collections.abc import Callable

import pytest
from support import streams

from tdd_monitor.protocol.events import RunFinish
from tdd_monitor.ui import actions
from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.ui.panels.panel import Panel
from tdd_monitor.ui.screens.detail import DetailScreen, TestsScreen
from tdd_monitor.ui.screens.help import HelpScreen
from tdd_monitor.ui.screens.pages import PagesScreen
from ui.screen import FAILED, SIZE, cursor, focus, last_request, main, press, shown

pytestmark = pytest.mark.asyncio

MakeApp = Callable[..., MonitorApp]


async def test_an_alert_leads_to_its_test_and_back(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "3")
        panel = app.focused
        assert isinstance(panel, Panel)
        target = panel.target_at(panel.cursor)
        assert target is not None and target.kind == "tests"
        await press(pilot, "j")
        target = panel.target_at(panel.cursor)
        assert target is not None and target.kind == "test"
        await press(pilot, "enter")
        assert isinstance(app.screen, DetailScreen) and app.screen.nodeid == target.value
        await press(pilot, "escape")
        assert focus(app) == "alerts"
        await press(pilot, "k", "enter")
        assert shown(app) == "TestsScreen"
        await press(pilot, "G", "enter")
        assert isinstance(app.screen, DetailScreen) and app.screen.nodeid == streams.HUNGRY
        await press(pilot, "escape", "escape")
        assert focus(app) == "alerts"


async def test_an_alert_shared_by_several_tests_lists_them_and_t_runs_them(make_app: MakeApp) -> None:
    stream = streams.Stream()
    stream.open("r", "all", "")
    scripts = [streams.Script(f"t.py::test_{n}", call=1, queries=20, repeated=12 + n) for n in range(5)]
    stream.collect(streams.collected(scripts))
    for script in scripts:
        stream.test(script)
    stream.emit(RunFinish(0))
    app = make_app(stream.lines)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        (alert,) = app.control.board.alerts()
        assert len(alert.tests) == 5
        await press(pilot, "3", "enter")
        assert isinstance(app.screen, TestsScreen)
        rows = [row.target.value for row in app.screen.body.rows if row.target]
        assert rows == [script.nodeid for script in reversed(scripts)]
        text = "\n".join("".join(part for part, _role in row.parts) for row in app.screen.body.rows)
        assert "16x  t.py::test_4" in text and "12x  t.py::test_0" in text
        await press(pilot, "t")
        assert last_request(app) == ("over threshold", [script.nodeid for script in scripts])


async def test_an_alert_of_a_growing_process_leads_to_its_memory(make_app: MakeApp) -> None:
    stream = streams.Stream()
    stream.open("r", "all", "")
    for number in range(60):
        stream.test(streams.Script(f"t.py::test_{number}", call=1, memory_mb=0.5))
    app = make_app(stream.lines)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "3", "enter")
        assert focus(app) == "memory"


async def test_navigation_from_test_to_fixture_to_test_and_back(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "enter")
        await press(pilot, "j", "enter")
        assert shown(app) == "TestsScreen"
        await press(pilot, "G", "enter")
        assert shown(app) == "DetailScreen"
        for expected in ("TestsScreen", "DetailScreen", "MainScreen", "MainScreen"):
            await press(pilot, "escape")
            assert shown(app) == expected
        assert app.is_running


async def test_the_next_problem_can_be_seen_in_detail(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "n", "enter")
        await press(pilot, "n")
        assert isinstance(app.screen, DetailScreen)
        assert app.screen.nodeid == streams.DISCOUNT == main(app).table.current


async def test_help_and_pages_open_on_the_relevant_content(make_app: MakeApp) -> None:
    app = make_app(streams.collection_errors())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "o")
        assert isinstance(app.screen, PagesScreen) and "cannot import name" in app.screen.body.text()
        await press(pilot, "escape", "?")
        assert isinstance(app.screen, HelpScreen)
        for action in actions.ACTIONS:
            assert action.key_names()[0] in app.screen.body.text()


async def test_the_palette_runs_the_action_found(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "ctrl+p")
        await press(pilot, *"errored")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await press(pilot, "enter")
        assert last_request(app) == ("failed", FAILED)


async def test_a_click_selects_a_row_or_presses_a_key(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await pilot.click("#tests", offset=(20, 5))
        await pilot.pause()
        assert cursor(app) == 3
        await pilot.click("#keys", offset=(2, 0))
        await pilot.pause()
        assert shown(app) == "DetailScreen"


async def test_digits_select_the_panel_where_only_one_fits(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot)
        await press(pilot, "5")
        assert [panel.id for panel in main(app).panels if panel.display] == ["pools"]
        assert focus(app) == "pools" and main(app).table.display
        await press(pilot, "plus")
        assert not main(app).table.display
        await press(pilot, "escape")
        assert main(app).table.display


async def test_in_a_short_terminal_digits_zoom(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(100, 16)) as pilot:
        await press(pilot)
        assert not any(panel.display for panel in main(app).panels)
        await press(pilot, "2")
        assert focus(app) == "durations" and not main(app).table.display
        await press(pilot, "1")
        assert focus(app) == "tests" and main(app).table.display
