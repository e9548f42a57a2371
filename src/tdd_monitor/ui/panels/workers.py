"""The test processes: the running test and its time, the number of finished tests, memory."""

from collections.abc import Iterator

from tdd_monitor import figures
from tdd_monitor.session.model import Worker
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import Part, Row, Target, row, text_row

NAME_WIDTH = 5
SHOWN = 100  # rows; more are not worth reading


def heading(view: View) -> str:
    """The number of workers, and how many of them crashed."""
    session, workers = view.board.session, _workers(view)
    count = len(workers) + session.forgotten_workers
    crashed = sum(worker.crashed for worker in workers) + session.forgotten_crashes
    parts = [f"{count:,}"] if count else []
    if crashed:
        parts.append(f"† {crashed:,} crashed")
    return " · ".join(parts)


def rows(view: View, width: int, height: int) -> Iterator[Row]:
    """One line per process, at most `SHOWN`; if there are more, those alive come first."""
    workers = _workers(view)
    if not workers:
        yield text_row("No worker yet.", "dim")
    if len(workers) > SHOWN:
        workers.sort(key=lambda worker: not worker.alive)
    for worker in workers[:SHOWN]:
        yield _line(view, worker, width)
    more = len(workers[SHOWN:]) + view.board.session.forgotten_workers
    if more:
        yield text_row(f"… and {more:,} more.", "dim")
    if len(workers) == 1 and workers[0].role == "single" and height > 2:
        yield text_row("")
        for line in format.wrap("With pytest-xdist, -n 4 runs tests in four processes.", width):
            yield text_row(line, "dim")


def _workers(view: View) -> list[Worker]:
    workers = view.board.session.workers.values()
    return [worker for worker in workers if worker.role != "controller"]


def _line(view: View, worker: Worker, width: int) -> Row:
    limit = view.board.thresholds_of(worker.running).test_duration_ms
    run = view.board.session.run
    active = run is not None and run.active
    name = format.fit(format.visible(worker.id) or "main", NAME_WIDTH)
    tail = format.fit(f"{worker.finished:,}", 5, right=True)
    tail += format.fit(figures.size(worker.rss_bytes), 9, right=True) if width >= 44 else ""
    room = width - NAME_WIDTH - len(tail)
    what: list[Part]
    target = None
    if worker.crashed:
        reason = "" if worker.reason == "crashed" else f" {format.visible(worker.reason)}"
        what = [(format.fit(f"† crashed{reason}", room), "lost")]
    elif worker.running:
        elapsed_ms = max(0, view.now_ns - worker.running_since_ns) / figures.NS_PER_MS
        over = bool(limit) and elapsed_ms > limit
        time = f"{'▲' if over else '●'} {format.fit(figures.milliseconds(elapsed_ms), 7, right=True)} "
        what = [
            (time, "warning" if over else "running"),
            (format.fit(format.short(worker.running, room - len(time)), room - len(time)), "text"),
        ]
        target = Target("test", worker.running)
    elif not worker.alive or not active:
        what = [(format.fit("· ended", room), "idle")]
    else:
        what = [(format.fit("○ idle", room), "idle")]
    return row((name, "strong"), *what, (tail, "dim"), target=target)
