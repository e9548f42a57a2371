"""Connection pools: utilization and waits, over time; and the servers' own connection counts."""

from collections.abc import Iterator

from rich.cells import cell_len

from tdd_monitor import figures
from tdd_monitor.session.model import DatabaseServer, Pool
from tdd_monitor.session.pool_life import labels
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text import charts, format
from tdd_monitor.ui.text.parts import Part, Parts, Row, row, text_row, width_of

MAX_LISTED = 20
BAR_MIN = 8
SERVER_BAR_MIN = 3  # in a narrow panel the name is worth more than the bar
SERVER_NAME_MIN = 6
SERVER = "server "


def heading(view: View) -> str:
    """The number of waiting requests, else the number of pools."""
    session = view.board.session
    waiting = sum(pool.latest.waiting for pool in session.pools.values() if not pool.closed)
    if waiting:
        return f"▲ {waiting} waiting"
    known = sum(max(1, pool.latest.pools) for pool in session.pools.values())
    known += sum(session.more_pools.values())
    return figures.plural(known, "pool") if known > 1 else ""


def rows(view: View, width: int, height: int) -> Iterator[Row]:
    """The panel in `width` by `height` cells."""
    session = view.board.session
    if not session.pools:
        yield text_row("No connection pools.", "dim")
        text = "Pools of asyncpg, SQLAlchemy and psycopg appear here once a test uses one."
        for line in format.wrap(text, width):
            yield text_row(line, "dim")
        yield from _servers(view, width)
        return
    several = len({worker for worker, _number, _name in session.pools}) > 1
    servers = list(_servers(view, width))
    shown = sorted(session.pools, key=lambda key: _priority(session.pools[key]))[:MAX_LISTED]
    chart = max(1, min(5, (height - len(servers)) // len(shown) - 2))
    names = labels(session)
    for key in shown:
        worker = f" {key[0]}" if several and key[0] else ""
        yield from _pool(view, session.pools[key], names[key] + worker, width, chart)
    more = len(session.pools) - len(shown) + sum(session.more_pools.values())
    if more:
        yield text_row(f"… and {figures.plural(more, 'more pool')}", "dim")
    yield from servers


def _priority(pool: Pool) -> tuple[bool, float, str, str]:
    """Sort key: open pools first, those with waits before the others, then by utilization."""
    fill = pool.peak_in_use / (pool.latest.max_size or pool.latest.size or 1)
    waiting = 0 if pool.closed else pool.latest.waiting
    return (
        pool.closed,
        -(waiting * 100 + pool.peak_waiting * 10 + fill),
        pool.latest.name,
        pool.worker,
    )


def _pool(view: View, pool: Pool, label: str, width: int, chart: int) -> Iterator[Row]:
    sample = pool.latest
    maximum = sample.max_size or sample.size or pool.peak_in_use or 1
    shown = pool.peak_in_use if pool.closed else sample.in_use
    fill = shown / maximum
    limit = view.board.thresholds.pool_utilization
    waiting = sample.waiting and not pool.closed
    role = "critical" if waiting else "warning" if limit and fill > limit else "good"
    name = format.visible(label or "pool") + (f" ×{sample.pools:,}" if sample.pools > 1 else "")
    numbers = f" {'peak ' if pool.closed else ''}{shown}/{sample.max_size or '∞'}"
    numbers += "" if pool.closed else " in use"
    left_width = min(cell_len(name), width - len(numbers) - BAR_MIN - 1)
    room = width - left_width - 1 - len(numbers)
    left: Part = (format.fit(name, left_width) + " ", "strong")
    yield row(left, *charts.bar(fill, max(3, room), role), (numbers, role if role != "good" else "text"))
    points = [(t_ns, float(in_use)) for t_ns, in_use, _waiting in pool.history]
    if chart and points and any(in_use for _, in_use in points):
        end_ns = max(points[-1][0], view.board.session.now_ns)
        for line in figures.sparkline(charts.resample(points, width, end_ns), chart, 0.0, float(maximum)):
            yield text_row(line, "chart")
    yield row(*_details(pool))


def _details(pool: Pool) -> Parts:
    sample = pool.latest
    parts: list[Part] = []
    if pool.closed:
        parts.append(("closed", "dim"))
    else:
        parts += [
            ("size ", "dim"),
            (f"{sample.size}", "text"),
            ("  peak ", "dim"),
            (f"{pool.peak_in_use}", "text"),
        ]
    if sample.waiting and not pool.closed:
        parts.append((f"  ◆ {sample.waiting} waiting", "critical"))
    elif pool.peak_waiting:
        parts += [("  waited ", "dim"), (f"▲ {pool.peak_waiting} at once", "warning")]
    else:
        parts.append(("  no waits", "dim"))
    return tuple(parts)


def _servers(view: View, width: int) -> Iterator[Row]:
    for server in view.board.session.servers.values():
        if server.latest.reason:
            yield from _uncounted(server, width)
        else:
            yield from _counted(view, server, width)


def _counted(view: View, server: DatabaseServer, width: int) -> Iterator[Row]:
    """One line, or two if one would leave no space for the name."""
    run = view.board.session.run
    # The server is not polled after the run, so its last count would be stale.
    active = run is not None and run.active
    count, maximum = server.latest.connections if active else server.peak, server.max_connections
    numbers = f" {'' if active else 'peak '}{count} of {maximum}"
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
        yield row(*charts.bar(fill, max(1, width - width_of(figures)), role), *figures)
        return
    name = format.cut_left(name, room)
    bar = charts.bar(fill, SERVER_BAR_MIN + room - cell_len(name), role)
    yield row((SERVER, "dim"), (name + " ", "text"), *bar, *figures)


def _uncounted(server: DatabaseServer, width: int) -> Iterator[Row]:
    word, role = ("◆ full", "critical") if server.latest.full else ("▲ not counted", "warning")
    name = format.cut_left(format.visible(server.latest.server), width - len(SERVER) - len(word) - 1)
    yield row((SERVER, "dim"), (name + " ", "text"), (word, role))
    for line in format.wrap(format.visible(server.latest.reason), width - len(SERVER)):
        yield row((" " * len(SERVER), "dim"), (line, "dim"))
