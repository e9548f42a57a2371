"""Every key of the table of actions."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from support import streams
from textual import events
from textual.command import CommandPalette
from textual.widgets import Static

from tdd_monitor.protocol.events import Line
from tdd_monitor.session import queries
from tdd_monitor.ui import actions
from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.ui.screens.choice import QuitScreen, SortScreen
from tdd_monitor.ui.screens.detail import DetailScreen
from tdd_monitor.ui.widgets import LinesView
from ui.screen import FAILED, SIZE, cursor, focus, last_request, main, notes, press, shown, view

pytestmark = pytest.mark.asyncio

MakeApp = Callable[..., MonitorApp]


def tab(app: MonitorApp) -> int:
    assert isinstance(app.screen, DetailScreen)
    return app.screen.tab


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
    "test.edit": Case(notes, ["/shop/tests/test_catalog.py does not exist."]),
    "test.copy_id": Case(lambda app: app.clipboard, streams.FIRST),
    "test.copy_command": Case(lambda app: app.clipboard, f"pytest {streams.FIRST}"),
    "monitor.pause": Case(lambda app: app.feed.paused, True),
    "monitor.output": Case(shown, "PagesScreen"),
    "monitor.help": Case(shown, "HelpScreen"),
    "monitor.palette": Case(lambda app: isinstance(app.screen, CommandPalette), True),
    "monitor.suspend": Case(notes, ["Cannot suspend: no shell to return to."]),
    "monitor.quit": Case(lambda app: app.control.requests[-1], ("stop", None)),  # type: ignore[attr-defined]
}


async def test_every_action_has_a_case() -> None:
    assert list(CASES) == [action.id for action in actions.ACTIONS]


@pytest.mark.parametrize("action", actions.ACTIONS, ids=lambda action: action.id)
async def test_a_key_performs_its_action(make_app: MakeApp, action: actions.Action) -> None:
    case = CASES[action.id]
    app = make_app(case.lines())
    key, *aliases = action.keys.split(",")
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *case.before)
        for alias in aliases:
            assert app.screen.active_bindings[alias].binding.id == action.id
        assert case.look(app) != case.after
        await press(pilot, key)
        assert case.look(app) == case.after


async def test_a_recording_refuses_run_keys_and_gives_the_reason(make_app: MakeApp) -> None:
    app = make_app(streams.shop(), can_run=False)
    async with app.run_test(size=SIZE) as pilot:
        for action in actions.ACTIONS:
            if "can_run" in action.needs:
                app.clear_notifications()
                await press(pilot, action.keys[0])
                assert notes(app) == [actions.NEEDS["can_run"]], action.id
        assert app.control.requests == [("start", None)]  # type: ignore[attr-defined]
        shown_keys = {action.id for action in main(app).query_one("KeyLine").actions}  # type: ignore[attr-defined]
        assert not any(known.startswith("run.") for known in shown_keys)


async def test_a_refused_key_gives_the_reason(make_app: MakeApp) -> None:
    app = make_app(streams.all_passed())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        for key, need in (("f", "failed"), ("t", "over"), ("x", "active"), ("n", "problem")):
            app.clear_notifications()
            await press(pilot, key)
            assert notes(app) == [actions.NEEDS[need]]


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


async def test_keys_typed_ahead_of_the_filter_belong_to_it(make_app: MakeApp) -> None:
    app = make_app(streams.shop(stop_after=5))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        for key in ("slash", "x", "slash", "q"):
            app.post_message(events.Key(key, "/" if key == "slash" else key))
        await press(pilot)
        assert main(app).table.listing.pattern == "x/q"
        assert last_request(app) == ("start", None)


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


async def test_the_question_follows_a_run_that_ends_before_the_answer(make_app: MakeApp) -> None:
    app = make_app(streams.shop(stop_after=5))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "q")
        question = app.screen.query_one("#question Static", Static)
        assert "A run is in progress" in str(question.content)
        app.control.play(streams.shop())  # type: ignore[attr-defined]
        async with asyncio.timeout(10):
            while "The run has ended" not in str(question.content):
                await asyncio.sleep(0.02)


async def test_ctrl_c_twice_quits(make_app: MakeApp) -> None:
    app = make_app(streams.shop(stop_after=5))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot)
        await press(pilot, "ctrl+c")
        await press(pilot, "ctrl+c")
        assert last_request(app) == ("stop", None)
