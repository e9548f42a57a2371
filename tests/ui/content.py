"""What header, banner, panels and tabs show of a stream, as text."""

from collections.abc import Iterable, Iterator

from support import streams

from tdd_monitor.protocol.events import Line
from tdd_monitor.ui.frames.overview import Sweep
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.panels import alerts, banner, columns, durations, header, memory, pools, workers
from tdd_monitor.ui.tabs import TABS, Subject
from tdd_monitor.ui.tabs.run import PAGES
from tdd_monitor.ui.tabs.subject import heading
from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import ROLES, Parts, Row, width_of
from tdd_monitor.verdict import Board

MS, MB = streams.MS, streams.MB
PANELS = {"durations": durations, "alerts": alerts, "memory": memory, "pools": pools, "workers": workers}
STREAMS = {
    "shop": streams.shop,
    "running": lambda: streams.shop(stop_after=30),
    "again": streams.rerun_failed,
    "xdist": streams.xdist,
    "lost": streams.lost,
    "errors": streams.collection_errors,
    "nothing": list,
}


def view_of(lines: Iterable[Line], **more: object) -> View:
    board, sweep = Board(), Sweep()
    for line in lines:
        board.apply(line)
    now_ns = board.session.now_ns + 180_000_000
    sweep.step(board.session, now_ns, float("inf"))
    return View(board, now_ns, sweep.latest, tuple(board.alerts()), "tests/", **more)  # type: ignore[arg-type]


def text(rows: Iterable[Row] | Iterable[Parts]) -> str:
    lines = (row.parts if isinstance(row, Row) else row for row in rows)
    return "\n".join("".join(part for part, _role in parts) for parts in lines)


def panel(name: str, view: View, width: int = 60, height: int = 20) -> str:
    return text(PANELS[name].rows(view, width, height))


def detail(tab: str, nodeid: str, lines: Iterable[Line], width: int = 100) -> str:
    view = view_of(lines)
    subject = Subject(view.board.session.items[nodeid], view)
    return text(next(known for known in TABS if known.name == tab).rows(subject, width))


def subjects(view: View) -> Iterator[Subject]:
    for item in view.board.session.items.values():
        yield Subject(item, view)


def everything(view: View, width: int, height: int) -> Iterator[tuple[str, Parts]]:
    """Everything that must fit into a width, with its source."""
    for lines in (2, 3):
        yield from (("header", parts) for parts in header.lines(view, width, lines))
    yield from (("banner", parts) for parts in banner.lines(view, width))
    for name, module in PANELS.items():
        yield from ((name, row.parts) for row in module.rows(view, width, height))
        module.heading(view)
    chosen = columns.choose(width, with_workers=True)
    yield "titles", columns.title_row(chosen, "duration", reverse=True)
    for item in view.board.session.items.values():
        facts = columns.facts(view.board, item, view.board.session.run, view.now_ns)
        yield "table", columns.row_parts(chosen, facts, on_cursor=True, marked=True)
    for subject in subjects(view):
        yield from (("heading", parts) for parts in heading(subject, width))
        for tab in TABS:
            assert isinstance(tab.filled(subject), bool)
            found = list(tab.rows(subject, width))
            if tab.name in ("Overview", "Memory", "History", "Alerts"):
                yield from ((tab.name, row.parts) for row in found)
    for page in PAGES:
        assert page.count(view) >= 0
        list(page.rows(view))


def check(view: View, width: int, height: int, fits: bool = True) -> None:
    """Every part is safe to print. It also `fits`, unless the figures are beyond anything that happens."""
    for where, parts in everything(view, width, height):
        for part, role in parts:
            assert role in ROLES, (where, role)
            assert part == format.visible(part), (where, part)
        assert not fits or width_of(parts) <= width, (where, text([parts]))
