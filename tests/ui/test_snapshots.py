"""Screenshots as SVG: `pytest tests/ui/test_snapshots.py --snapshot-update` after an intended change."""

from collections.abc import Callable, Iterable

import pytest
import textual
from support import streams
from textual.pilot import Pilot

from tdd_monitor.protocol.events import Line
from tdd_monitor.ui.app import MonitorApp

pytestmark = pytest.mark.skipif(
    not textual.__version__.startswith("8.2."), reason="the pictures are of Textual 8.2"
)

MakeApp = Callable[..., MonitorApp]
Compare = Callable[..., bool]

DARK, LIGHT = "textual-dark", "textual-light"

Streams = Callable[[], Iterable[Line]]


def running() -> list[Line]:
    return streams.shop(stop_after=35)


CASES: list[tuple[str, Streams, str, str, tuple[str, ...]]] = [
    ("main", running, "80x24", DARK, ()),
    ("main", running, "120x36", DARK, ()),
    ("main", running, "200x50", DARK, ()),
    ("main", running, "80x24", LIGHT, ()),
    ("main", running, "120x36", LIGHT, ()),
    ("main", running, "200x50", LIGHT, ()),
    ("again", streams.rerun_failed, "120x36", DARK, ("g",)),
    ("xdist", streams.xdist, "120x36", DARK, ("6",)),
    ("zoomed", streams.shop, "120x36", DARK, ("3", "plus")),
    ("detail", streams.shop, "80x24", DARK, ("v", "v", "G", "k", "k", "enter")),
    ("detail", streams.shop, "120x36", DARK, ("n", "n", "enter")),
    ("detail", streams.shop, "200x50", LIGHT, ("v", "v", "v", "v", "enter")),
    ("traceback", streams.shop, "120x36", DARK, ("n", "n", "enter", "right_square_bracket")),
    ("help", running, "80x24", DARK, ("question_mark",)),
    ("help", running, "120x36", LIGHT, ("question_mark",)),
    ("lost", streams.lost, "80x24", LIGHT, ()),
    ("lost", streams.lost, "120x36", DARK, ()),
    ("errors", streams.collection_errors, "120x36", DARK, ("o",)),
    ("empty", list, "80x24", DARK, ()),
    ("small", running, "50x12", DARK, ()),
]


@pytest.mark.parametrize(
    ("name", "lines", "size", "theme", "keys"),
    CASES,
    ids=[f"{name}-{size}-{theme.partition('-')[2]}" for name, _lines, size, theme, _keys in CASES],
)
def test_picture(
    snap_compare: Compare,
    make_app: MakeApp,
    name: str,
    lines: Streams,
    size: str,
    theme: str,
    keys: tuple[str, ...],
) -> None:
    app = make_app(lines(), theme=theme)

    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.pause()
        app.repaint()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        app.repaint()
        await pilot.pause()

    columns, _x, rows = size.partition("x")
    assert snap_compare(app, terminal_size=(int(columns), int(rows)), run_before=prepare)
