"""Screenshots as SVG: `pytest tests/ui/test_snapshots.py --snapshot-update` after an intended change.

Another version of Textual may draw the same as different SVG, so then only the text is compared.
"""

import html
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import textual
from support import streams
from textual.pilot import Pilot

from tdd_monitor.protocol.events import Line
from tdd_monitor.ui.app import MonitorApp

DRAWN_BY = (8, 2)
PICTURES = Path(__file__).parent / "__snapshots__" / "test_snapshots"

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


def text(svg: str) -> dict[str, str]:
    """What each line of a picture says, without the spaces."""
    lines: dict[str, str] = {}
    for line, part in re.findall(r'clip-path="url\(#[^"]*-line-(\d+)\)">([^<]*)</text>', svg):
        lines[line] = lines.get(line, "") + "".join(html.unescape(part).split())
    return lines


@pytest.mark.parametrize(
    ("name", "lines", "size", "theme", "keys"),
    CASES,
    ids=[f"{name}-{size}-{theme.partition('-')[2]}" for name, _lines, size, theme, _keys in CASES],
)
def test_picture(
    request: pytest.FixtureRequest,
    snap_compare: Compare,
    make_app: MakeApp,
    name: str,
    lines: Streams,
    size: str,
    theme: str,
    keys: tuple[str, ...],
) -> None:
    app = make_app(lines(), theme=theme)
    drawn_by_another = tuple(map(int, textual.__version__.split(".")[:2])) != DRAWN_BY
    drawn: list[str] = []

    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.pause()
        app.repaint()
        await pilot.press(*keys)
        app.repaint()
        await pilot.pause()
        if drawn_by_another:
            drawn.append(app.export_screenshot())

    columns, _x, rows = size.partition("x")
    same = snap_compare(app, terminal_size=(int(columns), int(rows)), run_before=prepare)
    if drawn_by_another:
        stored = (PICTURES / f"{request.node.name}.svg").read_text(encoding="utf-8")
        assert text(drawn[0]) == text(stored)
    else:
        assert same
