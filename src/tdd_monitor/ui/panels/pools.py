"""Connection pools: how full, who waits, over time; and the servers' own counts of connections."""

from collections.abc import Iterator

from rich.cells import cell_len

from tdd_monitor.session.model import DatabaseServer, Pool
from tdd_monitor.ui import draw, format
from tdd_monitor.ui.parts import Part, Parts, Row, row, text_row, width_of
from tdd_monitor.ui.view import View
from tdd_monitor.verdict import wording

BAR_MIN = 8
SERVER_BAR_MIN = 3  # where it is narrow, the name says more than the bar
SERVER_NAME_MIN = 6
SERVER = "server "


def heading(view: View) -> str:
    """How many wait."""
    pools = view.board.session.pools.values()
    waiting = sum(pool.latest.waiting for pool in pools)
    if waiting:
        return f"▲ {waiting} waiting"
    return wording.plural(len(view.board.session.pools), "pool") if len(pools) > 1 else ""


def rows(view: View, width: int, height: int) -> Iterator[Row]:
    """The panel in `width` by `height` cells."""
    session = view.board.session
    if not session.pools:
        yield text_row("No connection pool seen.", "dim")
        text = "Pools of asyncpg, SQLAlchemy and psycopg appear here when a test uses one."
        for line in format.wrap(text, width):
            yield text_row(line, "dim")
        yield from _servers(view, width)
        return
    several = len({worker for worker, _name in session.pools}) > 1
    servers = list(_servers(view, width))
    chart = max(1, min(5, (height - len(servers)) // len(session.pools) - 2))
    for pool in sorted(session.pools.values(), key=_need):
        yield from _pool(view, pool, width, chart, several)
    yield from servers


def _need(pool: Pool) -> tuple[float, str, str]:
    """Those that somebody waits for come first, then the fullest."""
    fill = pool.peak_in_use / (pool.latest.max_size or pool.latest.size or 1)
    return (-(pool.latest.waiting * 100 + pool.peak_waiting * 10 + fill), pool.latest.name, pool.worker)


def _pool(view: View, pool: Pool, width: int, chart: int, several: bool) -> Iterator[Row]:
    sample = pool.latest
    maximum = sample.max_size or sample.size or 1
    fill = sample.in_use / maximum
    limit = view.board.thresholds.pool_utilization
    role = "critical" if sample.waiting else "warning" if limit and fill > limit else "good"
    name = format.visible((sample.name or "pool") + (f" {pool.worker}" if several and pool.worker else ""))
    numbers = f" {sample.in_use}/{sample.max_size or '∞'} in use"
    left_width = min(cell_len(name), width - len(numbers) - BAR_MIN - 1)
    room = width - left_width - 1 - len(numbers)
    left: Part = (format.fit(name, left_width) + " ", "strong")
    yield row(left, *draw.bar(fill, max(3, room), role), (numbers, role if role != "good" else "text"))
    points = [(t_ns, float(in_use)) for t_ns, in_use, _waiting in pool.history]
    if chart and points:
        end_ns = max(points[-1][0], view.board.session.now_ns)
        for line in draw.sparkline(draw.resample(points, width, end_ns), chart, 0.0, float(maximum)):
            yield text_row(line, "chart")
    yield row(*_details(pool))


def _details(pool: Pool) -> Parts:
    sample = pool.latest
    parts: list[Part] = [
        ("size ", "dim"),
        (f"{sample.size}", "text"),
        ("  peak ", "dim"),
        (f"{pool.peak_in_use}", "text"),
    ]
    if sample.waiting:
        parts.append((f"  ◆ {sample.waiting} waiting", "critical"))
    elif pool.peak_waiting:
        parts += [("  waited ", "dim"), (f"▲ {pool.peak_waiting} at once", "warning")]
    else:
        parts.append(("  nobody waited", "dim"))
    return tuple(parts)


def _servers(view: View, width: int) -> Iterator[Row]:
    for server in view.board.session.servers.values():
        if server.latest.reason:
            yield from _uncounted(server, width)
        else:
            yield from _counted(view, server, width)


def _counted(view: View, server: DatabaseServer, width: int) -> Iterator[Row]:
    """One line; two where it would leave nothing of the name."""
    run = view.board.session.run
    # Nobody asks the server after the run: what it said last would be stale.
    going = run is not None and run.active
    count, maximum = server.latest.connections if going else server.peak, server.max_connections
    numbers = f" {'' if going else 'peak '}{count} of {maximum}"
    fill = count / maximum if maximum else 0.0
    limit = view.board.thresholds.server_connections
    role, word = ("warning", " ▲ nearly full") if limit and fill >= limit else ("good", " connections")
    name = format.visible(server.latest.server)
    room = width - len(SERVER) - 1 - SERVER_BAR_MIN - len(numbers)
    if role == "good" and room < cell_len(name) + len(word) + SERVER_BAR_MIN:
        word = ""
    figures: Parts = ((numbers, "text"), (word, "dim")) if role == "good" else ((numbers + word, role),)
    room -= len(word)
    if room < SERVER_NAME_MIN:
        yield row((SERVER, "dim"), (format.cut_left(name, width - len(SERVER)), "text"))
        yield row(*draw.bar(fill, max(1, width - width_of(figures)), role), *figures)
        return
    name = format.cut_left(name, room)
    bar = draw.bar(fill, SERVER_BAR_MIN + room - cell_len(name), role)
    yield row((SERVER, "dim"), (name + " ", "text"), *bar, *figures)


def _uncounted(server: DatabaseServer, width: int) -> Iterator[Row]:
    word, role = ("◆ full", "critical") if server.latest.full else ("▲ not counted", "warning")
    name = format.cut_left(format.visible(server.latest.server), width - len(SERVER) - len(word) - 1)
    yield row((SERVER, "dim"), (name + " ", "text"), (word, role))
    for line in format.wrap(format.visible(server.latest.reason), width - len(SERVER)):
        yield row((" " * len(SERVER), "dim"), (line, "dim"))
