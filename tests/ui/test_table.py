"""The test table on the screen: how it shows unusual tests, and where its cursor stays."""

from collections.abc import Callable

import pytest
from rich.cells import cell_len
from support import streams
from textual.pilot import Pilot
from textual.strip import Strip

from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectFinish,
    RunFinish,
    RunRequest,
    StartedTest,
)
from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.ui.panels import columns
from tdd_monitor.ui.panels.panel import Panel
from tdd_monitor.ui.panels.tests import TestTable
from tdd_monitor.ui.screens.main import MainScreen
from tdd_monitor.ui.widgets import RowsView

pytestmark = pytest.mark.asyncio

MakeApp = Callable[..., MonitorApp]


async def settle(pilot: Pilot[None]) -> TestTable:
    assert isinstance(pilot.app, MonitorApp)
    pilot.app.repaint()
    await pilot.pause()
    main = pilot.app.screen_stack[0]
    assert isinstance(main, MainScreen)
    return main.table


def lines(table: TestTable) -> list[str]:
    return [table.render_line(y).text for y in range(table.size.height)]


STRANGE = [
    "t.py::test_markup[red][b]bold[/b][@click=app.quit]x[/]",
    "t.py::test_newline[a\nb\tc]",
    "t.py::test_escape[\x1b[31mred\x07]",
    "t.py::test_wide[寿司セット👍🏽]",
    "t.py::test_combining[e\u0301\u200b\u202e]",
    "t.py::test_long[" + "x" * 5000 + "]",
    "t.py",
    "::",
]


async def test_unusual_node_ids_take_one_line_and_show_their_content(make_app: MakeApp) -> None:
    stream = streams.Stream()
    stream.open("r", "all", "")
    stream.collect([CollectedTest(nodeid) for nodeid in STRANGE])
    app = make_app(stream.lines)
    async with app.run_test(size=(200, 40)) as pilot:
        table = await settle(pilot)
        shown = lines(table)
        assert {cell_len(line) for line in shown} == {table.inner_width}
        text = "\n".join(shown)
        assert "test_markup[red][b]bold[/b]" in text
        assert r"test_newline[a\nb\tc]" in text
        assert r"test_escape[\x1b[31mred\x07]" in text
        assert "寿司セット" in text and "test_long[xxx" in text
        assert r"\u200b\u202e" in text
        for nodeid in STRANGE:
            app.screen.table.current = nodeid  # type: ignore[attr-defined]
        for _ in STRANGE:
            await pilot.press("enter", "right_square_bracket", "escape", "j")
        assert app.is_running


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_tests_that_differ_in_their_parameters_are_distinguishable(
    make_app: MakeApp, size: tuple[int, int]
) -> None:
    function = "tests/unit/test_rates.py::TestRates::test_the_total_of_an_order_is_rounded_to_cents"
    stream = streams.Stream()
    stream.open("r", "all", "")
    parameters = [f"{amount}-{way}" for amount in ("17.333", "17.336") for way in ("up", "down", "even")]
    stream.collect([CollectedTest(f"{function}[{each}]") for each in parameters])
    app = make_app(stream.lines)
    async with app.run_test(size=size) as pilot:
        table = await settle(pilot)
        text = "\n".join(lines(table))
        assert [f"[{each}]" for each in parameters if f"[{each}]" not in text] == []


async def test_the_cursor_stays_with_its_test_through_sorting_and_removal(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(110, 36)) as pilot:
        table = await settle(pilot)
        index = table.listing.nodeids.index(streams.HUNGRY)
        table.move_to(index)
        assert table.current == streams.HUNGRY
        await pilot.press("s", "4")
        await settle(pilot)
        assert table.current == streams.HUNGRY
        assert table.cursor == table.listing.nodeids.index(streams.HUNGRY) != index
        assert any("share_the_pool" in line and "▌" in line for line in lines(table))
        kept = [script for script in streams.SHOP if "test_reports" not in script.nodeid]
        stream = streams.Stream(now_ns=app.control.board.session.now_ns)
        stream.emit(RunRequest("run-2", "all"))
        stream.emit(Collect(tuple(streams.collected(kept))))
        stream.emit(CollectFinish(len(kept)))
        stream.emit(StartedTest(streams.FIRST, 1))
        table.follow = False
        app.control.play(stream.lines)  # type: ignore[attr-defined]
        await settle(pilot)
        assert len(table.listing.nodeids) == len(kept)
        assert table.current == streams.HUNGRY
        assert table.listing.nodeids[table.cursor] == streams.HUNGRY


async def test_removing_a_test_leaves_the_cursor_nearby(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(110, 36)) as pilot:
        table = await settle(pilot)
        await pilot.press("G")
        stream = streams.Stream(now_ns=app.control.board.session.now_ns)
        stream.emit(RunRequest("run-2", "all"))
        stream.collect(streams.collected(streams.SHOP[:5]))
        stream.emit(RunFinish(0))
        app.control.play(stream.lines)  # type: ignore[attr-defined]
        table = await settle(pilot)
        assert (table.cursor, table.current) == (4, streams.SHOP[4].nodeid)


async def test_the_cursor_follows_the_running_test_until_it_is_moved(make_app: MakeApp) -> None:
    # The last three lines of a stopped stream belong to the test that is running then.
    until = {count: streams.shop(stop_after=count) for count in (20, 25, 30)}
    app = make_app(until[20])
    async with app.run_test(size=(110, 36)) as pilot:
        table = await settle(pilot)
        worker = app.control.board.session.workers[""]
        assert table.current == worker.running and table.follow
        app.control.play(until[25][len(until[20]) - 3 :])  # type: ignore[attr-defined]
        table = await settle(pilot)
        assert table.current == worker.running
        await pilot.press("k")
        assert not table.follow
        here = table.current
        app.control.play(until[30][len(until[25]) - 3 :])  # type: ignore[attr-defined]
        table = await settle(pilot)
        assert table.current == here
        await pilot.press("F")
        table = await settle(pilot)
        assert table.current == worker.running


async def test_at_the_end_of_a_run_the_cursor_is_on_the_first_failure(make_app: MakeApp) -> None:
    unfinished = streams.shop(finish=False)
    app = make_app(unfinished)
    async with app.run_test(size=(110, 36)) as pilot:
        await settle(pilot)
        stream = streams.Stream(now_ns=unfinished[-1].t_ns)
        stream.emit(RunFinish(1))
        app.control.play(stream.lines)  # type: ignore[attr-defined]
        table = await settle(pilot)
        assert table.current == streams.DISCOUNT


async def test_a_lost_run_opens_at_the_lost_test(make_app: MakeApp) -> None:
    app = make_app(streams.lost())
    async with app.run_test(size=(110, 36)) as pilot:
        table = await settle(pilot)
        assert table.current == streams.SLOW_REPORT


async def test_rows_of_an_earlier_run_are_marked_with_it(make_app: MakeApp) -> None:
    app = make_app(streams.rerun_failed())
    async with app.run_test(size=(110, 50)) as pilot:
        table = await settle(pilot)
        await pilot.press("g")
        shown = lines(table)
        assert sum("run 1" in line for line in shown) > 10
        discount = next(line for line in shown if "test_discount" in line)
        assert "run 1" not in discount and "✓ passed" in discount


EMPTY: list[tuple[tuple[str, ...], str]] = [
    (("v",), "View failed: no test has failed. Press esc to show all tests."),
    (("v", "v"), "View over threshold: no test is over a threshold. Press esc to show all tests."),
    (("v", "v", "v"), "View running: no test is running. Press esc to show all tests."),
    (("slash", *"xyz", "enter"), "Filter /xyz: none of 6 tests matches. Press esc to clear it."),
    (
        ("v", "slash", *"xyz", "enter"),
        "View failed, filter /xyz: no such test. Press esc to clear the filter, again to leave the view.",
    ),
]


@pytest.mark.parametrize("size", [(110, 36), (80, 24), (60, 20)])
async def test_an_empty_table_names_the_reason_and_the_key_that_helps(
    make_app: MakeApp, size: tuple[int, int]
) -> None:
    app = make_app(streams.all_passed())
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for keys, reason in EMPTY:
            await pilot.press(*keys)
            table = await settle(pilot)
            assert " ".join(" ".join(lines(table)[1:]).split()) == reason
            await pilot.press(*["escape"] * (2 if "again" in reason else 1))
            table = await settle(pilot)
            assert len(table.listing.nodeids) == 6, keys


async def test_without_tests_the_keys_of_the_table_do_nothing(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(110, 36)) as pilot:
        table = await settle(pilot)
        await pilot.press("j", "k", "G", "g", "pagedown", "pageup", "enter")
        assert (table.cursor, table.current) == (0, None)


async def test_ten_thousand_rows_cost_only_the_visible_ones(make_app: MakeApp) -> None:
    stream = streams.Stream()
    stream.open("r", "all", "")
    stream.collect([CollectedTest(f"t.py::test_{number}") for number in range(10_000)])
    app = make_app(stream.lines)
    async with app.run_test(size=(110, 36)) as pilot:
        table = await settle(pilot)
        drawn = drawn_rows(table)
        await pilot.press("G")
        await pilot.pause()
        assert table.cursor == 9_999
        assert table.scroll_offset.y == 10_000 - table.page
        assert 0 < len(drawn) < 5 * table.size.height


async def test_a_step_of_the_cursor_draws_two_rows_and_the_position(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(110, 36)) as pilot:
        table = await settle(pilot)
        drawn = drawn_rows(table)
        await pilot.press("j")
        await pilot.pause()
        assert drawn == [0, 1]
        assert "2 of 40" in app.export_screenshot().replace("&#160;", " ")


async def test_a_frame_without_news_draws_no_panel(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(110, 36)) as pilot:
        await settle(pilot)
        panels = list(app.screen.query(Panel))
        drawn = [drawn_rows(panel) for panel in panels]
        for panel in panels:
            panel.catch_up()
        await pilot.pause()
        assert not any(drawn)


def drawn_rows(view: RowsView) -> list[int]:
    """The indexes of the rows that the view draws from now on."""
    drawn: list[int] = []
    original = view.row_strip

    def recording(index: int, width: int) -> Strip:
        drawn.append(index)
        return original(index, width)

    view.row_strip = recording  # type: ignore[method-assign]
    return drawn


@pytest.mark.parametrize("width", [50, 78, 98, 118, 134, 198])
async def test_columns_fill_the_width_and_the_name_gets_the_most(width: int) -> None:
    chosen = columns.choose(width, "duration", with_workers=True)
    keys = [column.key for column in chosen]
    assert keys[:3] == ["status", "name", "duration"]
    assert columns.GUTTER + sum(column.width for column in chosen) + len(chosen) - 1 <= width
    name = chosen[1]
    assert name.width >= 30 or keys == ["status", "name", "duration"]
    if width >= 118:
        assert {"threshold", "setup", "call", "teardown", "memory", "queries"} <= set(keys)


async def test_the_sort_column_stays_when_space_is_short() -> None:
    assert "setup" in [column.key for column in columns.choose(90, "setup")]
    assert "setup" not in [column.key for column in columns.choose(90, "order")]
