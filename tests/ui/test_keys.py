"""Every key of the table of actions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from support import streams
from textual.command import CommandPalette
from textual.pilot import Pilot

from tdd_monitor.protocol.events import Line, RunFinish
from tdd_monitor.session import queries
from tdd_monitor.ui import actions
from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.ui.panels.panel import Panel
from tdd_monitor.ui.screens.choice import QuitScreen, SortScreen
from tdd_monitor.ui.screens.detail import DetailScreen, TestsScreen
from tdd_monitor.ui.screens.help import HelpScreen
from tdd_monitor.ui.screens.main import MainScreen
from tdd_monitor.ui.screens.pages import PagesScreen
from tdd_monitor.ui.widgets import LinesView

pytestmark = pytest.mark.asyncio

MakeApp = Callable[..., MonitorApp]
SIZE = (110, 36)


def main(app: MonitorApp) -> MainScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, MainScreen)
    return screen


def cursor(app: MonitorApp) -> int:
    return main(app).table.cursor


def focus(app: MonitorApp) -> str | None:
    focused = app.focused
    return focused.id if focused is not None else None


def view(app: MonitorApp) -> str:
    return main(app).table.listing.view


def tab(app: MonitorApp) -> int:
    assert isinstance(app.screen, DetailScreen)
    return app.screen.tab


def last_request(app: MonitorApp) -> object:
    return app.control.requests[-1]  # type: ignore[attr-defined]


def shown(app: MonitorApp) -> str:
    return type(app.screen).__name__


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys in turn, each after the previous one has been handled."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
    if isinstance(pilot.app, MonitorApp) and pilot.app.is_running and pilot.app.screen_stack:
        pilot.app.repaint()
        await pilot.pause()


def scrolled(app: MonitorApp) -> int:
    assert isinstance(app.focused, LinesView)
    return app.focused.scroll_offset.x


def wide() -> list[Line]:
    """A traceback with lines that are longer than the screen."""
    stream = streams.Stream()
    stream.open("r", "all", "")
    stream.test(streams.Script("t.py::test_x", "failed", longrepr="E   " + "x" * 400))
    return stream.lines


@dataclass(frozen=True)
class Case:
    """The keys to press first, what to observe, and its value after the key."""

    look: Callable[[MonitorApp], object]
    after: object
    before: tuple[str, ...] = ()
    lines: Callable[[], Iterable[Line]] = streams.shop


FAILED = [script.nodeid for script in streams.SHOP if script.outcome in ("failed", "error")]
OPEN = ("escape", "enter")

CASES: dict[str, Case] = {
    "move.down": Case(cursor, 1),
    "move.up": Case(cursor, 1, ("j", "j")),
    "move.top": Case(cursor, 0, ("j", "j")),
    "move.bottom": Case(cursor, 39),
    "move.page_down": Case(lambda app: cursor(app) > 5, True),
    "move.page_up": Case(lambda app: 20 < cursor(app) < 39, True, ("G",)),
    "move.left": Case(scrolled, 0, ("enter", "right_square_bracket", "l"), wide),
    "move.right": Case(scrolled, 8, ("enter", "right_square_bracket"), wide),
    "move.in": Case(shown, "DetailScreen"),
    "move.back": Case(shown, "MainScreen", ("enter",)),
    "panel.tests": Case(focus, "tests", ("3",)),
    "panel.durations": Case(focus, "durations"),
    "panel.alerts": Case(focus, "alerts"),
    "panel.memory": Case(focus, "memory"),
    "panel.pools": Case(focus, "pools"),
    "panel.workers": Case(focus, "workers"),
    "panel.next": Case(focus, "durations"),
    "panel.previous": Case(focus, "workers"),
    "panel.zoom": Case(lambda app: [p.id for p in main(app).panels if p.display], ["memory"], ("4",)),
    "panel.next_tab": Case(tab, 1, ("enter",)),
    "panel.previous_tab": Case(tab, 7, ("enter",)),
    "find.filter": Case(lambda app: app.focused and type(app.focused).__name__, "FilterInput"),
    "find.view": Case(view, "failed"),
    "find.sort": Case(shown, "SortScreen"),
    "find.reverse": Case(lambda app: main(app).table.listing.nodeids[0], streams.SHOP[-1].nodeid),
    "find.next": Case(lambda app: main(app).table.current, streams.N_PLUS_ONE, ("j",)),
    "find.previous": Case(lambda app: main(app).table.current, streams.N_PLUS_ONE, ("n", "n")),
    "find.follow": Case(lambda app: main(app).table.follow, False),
    "run.all": Case(last_request, ("all", None)),
    "run.failed": Case(last_request, ("failed", FAILED)),
    "run.over": Case(
        lambda app: last_request(app) == ("over threshold", app.control.board.over_threshold()), True
    ),
    "run.these": Case(last_request, ("this test", [streams.SHOP[2].nodeid]), ("j", "j")),
    "run.cancel": Case(last_request, ("cancel", None), (), lambda: streams.shop(stop_after=9)),
    "run.watching": Case(lambda app: app.control.watching, False),
    "test.mark": Case(lambda app: main(app).table.marks, {streams.FIRST}),
    "test.edit": Case(
        lambda app: [n.message for n in app._notifications], ["/shop/tests/test_catalog.py does not exist."]
    ),
    "test.copy_id": Case(lambda app: app.clipboard, streams.FIRST),
    "test.copy_command": Case(lambda app: app.clipboard, f"pytest {streams.FIRST}"),
    "monitor.pause": Case(lambda app: app.feed.paused, True),
    "monitor.output": Case(shown, "PagesScreen"),
    "monitor.help": Case(shown, "HelpScreen"),
    "monitor.palette": Case(lambda app: isinstance(app.screen, CommandPalette), True),
    "monitor.suspend": Case(
        lambda app: [n.message for n in app._notifications], ["Cannot suspend: no shell to return to."]
    ),
    "monitor.quit": Case(lambda app: app.control.requests[-1], ("stop", None)),  # type: ignore[attr-defined]
}


async def test_every_action_has_a_case() -> None:
    assert list(CASES) == [action.id for action in actions.ACTIONS]


@pytest.mark.parametrize("action", actions.ACTIONS, ids=lambda action: action.id)
async def test_a_key_does_what_the_table_says(make_app: MakeApp, action: actions.Action) -> None:
    case = CASES[action.id]
    app = make_app(case.lines())
    key, *aliases = action.keys.split(",")
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, *case.before)
        for alias in aliases:
            assert app.screen.active_bindings[alias].binding.id == action.id
        assert case.look(app) != case.after
        await press(pilot, key)
        assert case.look(app) == case.after


@pytest.mark.parametrize(
    ("key", "reason"),
    [(action.keys[0], "can_run") for action in actions.ACTIONS if "can_run" in action.needs],
)
async def test_a_recording_refuses_run_keys_and_says_why(make_app: MakeApp, key: str, reason: str) -> None:
    app = make_app(streams.shop(), can_run=False)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, key)
        assert [n.message for n in app._notifications] == [actions.NEEDS[reason]]
        assert app.control.requests == [("start", None)]  # type: ignore[attr-defined]
        shown_keys = {action.id for action in main(app).query_one("KeyLine").actions}  # type: ignore[attr-defined]
        assert not any(known.startswith("run.") for known in shown_keys)


@pytest.mark.parametrize(("key", "need"), [("f", "failed"), ("t", "over"), ("x", "active"), ("n", "problem")])
async def test_a_refused_key_gives_the_reason(make_app: MakeApp, key: str, need: str) -> None:
    app = make_app(streams.all_passed())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, key)
        assert [n.message for n in app._notifications] == [actions.NEEDS[need]]


async def test_keys_work_before_the_first_test(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        for action in actions.ACTIONS:
            if action.id not in ("monitor.quit", "monitor.palette"):
                await pilot.press(action.keys.split(",")[0])
        await press(pilot, "escape")
        assert app.is_running


async def test_the_filter_is_live_kept_by_enter_and_cleared_by_escape(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        table = main(app).table
        await press(pilot, "/", *"orders")
        assert len(table.listing.nodeids) == 8
        await press(pilot, " ", "!", *"can", "enter")
        assert len(table.listing.nodeids) == 6
        assert focus(app) == "tests" and "/orders !can" in table.heading()
        await press(pilot, "escape")
        assert len(table.listing.nodeids) == 40
        await press(pilot, "/", *"xyz")
        assert table.listing.nodeids == []
        await press(pilot, "enter", "enter", "j", "r")
        assert app.control.requests == [("start", None)]  # type: ignore[attr-defined]
        await press(pilot, "/", "escape")
        assert len(table.listing.nodeids) == 40


async def test_views_cycle(make_app: MakeApp) -> None:
    app = make_app(streams.shop(stop_after=36))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        seen = []
        for _ in range(5):
            await press(pilot, "v")
            seen.append((view(app), len(main(app).table.listing.nodeids)))
        over = len(app.control.board.of_test)
        assert seen == [("failed", 3), ("over", over), ("running", 1), ("slowest", 35), ("all", 40)]


async def test_sorting_by_menu_digit_and_key(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        table = main(app).table
        by_number = {key: number for number, key in enumerate(queries.SORT_KEYS, 1)}
        await press(pilot, "s", str(by_number["duration"]))
        assert table.listing.nodeids[0] == streams.SLOW_REPORT
        assert "time ▼" in "".join(segment.text for segment in table.head_strip(0, 100))
        await press(pilot, "s", "s", "enter")
        assert table.listing.sort == list(queries.SORT_KEYS)[by_number["duration"]]
        await press(pilot, "S")
        assert "▲" in "".join(segment.text for segment in table.head_strip(0, 100))
        await press(pilot, "s", "escape")
        assert not isinstance(app.screen, SortScreen)


async def test_marks_are_run_together_and_escape_clears_them(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "space", "j", "space", "r")
        assert last_request(app) == ("marked", [streams.SHOP[0].nodeid, streams.SHOP[2].nodeid])
        await press(pilot, "Y")
        assert app.clipboard == f"pytest {streams.SHOP[0].nodeid} {streams.SHOP[2].nodeid}"
        await press(pilot, "escape")
        assert main(app).table.marks == set()


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


async def test_an_alert_shared_by_many_tests_opens_them_and_t_runs_them(make_app: MakeApp) -> None:
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


async def test_drilling_from_suite_to_fixture_to_test_and_all_the_way_back(make_app: MakeApp) -> None:
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


async def test_quitting_during_a_run_asks_first(make_app: MakeApp) -> None:
    app = make_app(streams.shop(stop_after=5))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "q")
        assert isinstance(app.screen, QuitScreen)
        await press(pilot, "n")
        assert last_request(app) == ("start", None) and app.is_running
        await press(pilot, "q", "y")
        assert last_request(app) == ("stop", None)


async def test_ctrl_c_twice_quits(make_app: MakeApp) -> None:
    app = make_app(streams.shop(stop_after=5))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "ctrl+c")
        await press(pilot, "ctrl+c")
        assert last_request(app) == ("stop", None)


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


async def test_a_click_on_a_row_goes_there_and_one_on_a_key_presses_it(make_app: MakeApp) -> None:
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
