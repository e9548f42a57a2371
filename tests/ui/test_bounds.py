"""However much data there is, a frame stays fast: lists and texts are cut, and say so."""

from collections.abc import Callable

import pytest
from support import streams
from textual.events import Paste

from tdd_monitor.protocol.events import (
    CollectedTest,
    CollectError,
    FinishedTest,
    Hello,
    Line,
    Phase,
    Section,
    StartedTest,
    WorkerDown,
    WorkerUp,
)
from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.panels import workers
from tdd_monitor.ui.screens.detail import DetailScreen
from tdd_monitor.ui.screens.main import PATTERN_MAX, FilterInput
from tdd_monitor.ui.screens.pages import PagesScreen
from tdd_monitor.ui.tabs.traceback import LINES_MAX, TEXT_MAX
from tdd_monitor.verdict import Board

MakeApp = Callable[..., MonitorApp]


def text(rows: object) -> list[str]:
    return ["".join(text for text, _role in row.parts).strip() for row in rows]  # type: ignore[attr-defined]


def test_a_long_worker_list_is_cut_and_shows_those_alive_first() -> None:
    board = Board()
    stream = streams.Stream()
    stream.open("run-1", "all", "start", role="controller")
    for number in range(2_400):
        stream.emit(WorkerUp(f"gw{number}"))
        if number != 2_390:
            stream.emit(WorkerDown(f"gw{number}", True, "crashed"))
    stream.emit(Hello(1, "", "run-1", 4300, "worker"), "gw2390")
    stream.emit(StartedTest("tests/test_a.py::test", 1), "gw2390")
    for line in stream.lines:
        board.apply(line)
    view = View(board)
    rows = text(workers.rows(view, 40, 8))
    assert len(rows) == workers.SHOWN + 1
    assert "test" in rows[0] and rows[-1] == "… and 2,300 more."
    assert workers.heading(view) == "2,400 · † 2,399 crashed"


def huge() -> list[Line]:
    """A traceback of 20,000 lines, 2 MB of output, a flood of lines, and 3,000 files with errors."""
    stream = streams.Stream()
    stream.open("run-1", "all", "start")
    sections = (Section("Captured stdout", "x" * 2_000_000), Section("log", "word word\n" * 20_000))
    trace = "\n".join(f"E   line {number}" for number in range(20_000))
    phase = Phase("call", "failed", 1, 1, 1, 1, trace, sections)
    for number in range(3000):
        stream.emit(CollectError(f"tests/test_{number}.py", "E   boom\n" * 100))
    stream.collect([CollectedTest(streams.FIRST, "tests/test_catalog.py", 1)])
    stream.emit(FinishedTest(streams.FIRST, "failed", 1, 1, (phase,)))
    return stream.lines


@pytest.mark.asyncio
async def test_huge_texts_are_cut_and_say_so(make_app: MakeApp) -> None:
    app = make_app(huge())
    app.control.output.extend("o" * 5000 for _ in range(10_000))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.repaint()
        await pilot.press("enter", "right_square_bracket")
        detail = app.screen
        assert isinstance(detail, DetailScreen)
        shown = detail.body.text()
        assert "characters not shown" in shown and "lines not shown" in shown and "E   line 19999" in shown
        assert detail.body.row_count() < 3 * LINES_MAX and len(shown) < 4 * TEXT_MAX
        await pilot.press("escape", "o")
        pages = app.screen
        assert isinstance(pages, PagesScreen)
        shown = pages.body.text()
        assert "… and 2,800 more that could not be collected." in shown and pages.body.row_count() < 8000
        while pages.tab:
            await pilot.press("left_square_bracket")
        assert "earlier lines not shown" in pages.body.text() and pages.body.row_count() < 2000


@pytest.mark.asyncio
async def test_a_megabyte_pasted_into_the_filter_is_cut(make_app: MakeApp) -> None:
    app = make_app(streams.shop())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("slash")
        await pilot.pause()
        filter_input = app.focused
        assert isinstance(filter_input, FilterInput)
        filter_input.post_message(Paste("order " * 200_000))
        await pilot.pause()
        assert len(filter_input.value) == PATTERN_MAX
        await pilot.press("a")
        assert len(filter_input.value) == PATTERN_MAX
