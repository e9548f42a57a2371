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
class Step:
    """An action, what to observe, its value after the key, and the keys to press first."""

    action: str
    look: Callable[[MonitorApp], object]
    after: object
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Walk:
    """Steps in one application, each from where the previous one has led."""

    lines: Callable[[], Iterable[Line]]
    steps: tuple[Step, ...]


WALKS: dict[str, Walk] = {
    "rows": Walk(
        streams.shop,
        (
            Step("move.down", cursor, 1),
            Step("move.up", cursor, 0),
            Step("move.bottom", cursor, 39),
            Step("move.top", cursor, 0),
            Step("move.page_down", lambda app: cursor(app) > 5, True),
            Step("move.page_up", lambda app: 20 < cursor(app) < 39, True, ("G",)),
            Step("move.in", shown, "DetailScreen"),
            Step("move.back", shown, "MainScreen"),
        ),
    ),
    "text": Walk(
        wide,
        (
            Step("move.right", scrolled, 8, ("enter", "right_square_bracket")),
            Step("move.left", scrolled, 0),
        ),
    ),
    "panels": Walk(
        streams.shop,
        (
            Step("panel.durations", focus, "durations"),
            Step("panel.alerts", focus, "alerts"),
            Step("panel.memory", focus, "memory"),
            Step("panel.pools", focus, "pools"),
            Step("panel.workers", focus, "workers"),
            Step("panel.tests", focus, "tests"),
            Step("panel.next", focus, "durations"),
            Step("panel.previous", focus, "workers", ("1",)),
            Step("panel.zoom", lambda app: [p.id for p in main(app).panels if p.display], ["memory"], ("4",)),
        ),
    ),
    "tabs": Walk(
        streams.shop,
        (
            Step("panel.next_tab", tab, 1, ("enter",)),
            Step("panel.previous_tab", tab, 7, ("left_square_bracket",)),
        ),
    ),
    "find": Walk(
        streams.shop,
        (
            Step("find.follow", lambda app: main(app).table.follow, False),
            Step("find.next", lambda app: main(app).table.current, streams.N_PLUS_ONE, ("j",)),
            Step("find.previous", lambda app: main(app).table.current, streams.N_PLUS_ONE, ("n",)),
            Step("find.reverse", lambda app: main(app).table.listing.nodeids[0], streams.SHOP[-1].nodeid),
            Step("find.view", view, "failed"),
            Step("find.filter", lambda app: app.focused and type(app.focused).__name__, "FilterInput"),
            Step("find.sort", shown, "SortScreen", ("escape",)),
        ),
    ),
    "runs": Walk(
        streams.shop,
        (
            Step("run.all", last_request, ("all", None)),
            Step("run.failed", last_request, ("failed", FAILED)),
            Step(
                "run.over",
                lambda app: last_request(app) == ("over threshold", app.control.board.over_threshold()),
                True,
            ),
            Step("run.these", last_request, ("this test", [streams.SHOP[2].nodeid]), ("j", "j")),
            Step("run.watching", lambda app: app.control.watching, False),
        ),
    ),
    "run in progress": Walk(
        lambda: streams.shop(stop_after=9), (Step("run.cancel", last_request, ("cancel", None)),)
    ),
    "test": Walk(
        streams.shop,
        (
            Step("test.edit", notes, ["/shop/tests/test_catalog.py does not exist."]),
            Step("test.accept", last_request, ("accept", [streams.FIRST])),
            Step("test.copy_id", lambda app: app.clipboard, streams.FIRST),
            Step("test.copy_command", lambda app: app.clipboard, f"pytest {streams.FIRST}"),
            Step("test.mark", lambda app: main(app).table.marks, {streams.FIRST}),
        ),
    ),
    "monitor": Walk(
        streams.shop,
        (
            Step("monitor.suspend", notes, ["Cannot suspend: no shell to return to."]),
            Step("monitor.pause", lambda app: app.feed.paused, True),
            Step("monitor.output", shown, "PagesScreen"),
            Step("monitor.help", shown, "HelpScreen", ("escape",)),
            Step("monitor.palette", lambda app: isinstance(app.screen, CommandPalette), True, ("escape",)),
            Step("monitor.quit", last_request, ("stop", None), ("escape",)),
        ),
    ),
}


async def test_every_action_has_a_step() -> None:
    steps = [step.action for walk in WALKS.values() for step in walk.steps]
    assert sorted(steps) == sorted(action.id for action in actions.ACTIONS)


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
async def test_keys_perform_their_actions(make_app: MakeApp, walk: Walk) -> None:
    by_id = {action.id: action for action in actions.ACTIONS}
    app = make_app(walk.lines())
    async with app.run_test(size=SIZE) as pilot:
        for step in walk.steps:
            key, *aliases = by_id[step.action].keys.split(",")
            await press(pilot, *step.before)
            for alias in aliases:
                assert app.screen.active_bindings[alias].binding.id == step.action
            assert step.look(app) != step.after, step.action
            await press(pilot, key)
            assert step.look(app) == step.after, step.action


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
