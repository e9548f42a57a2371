"""The columns of the test table: which ones fit a width, and the content of each cell."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from rich.cells import cell_len

from tdd_monitor import figures
from tdd_monitor.protocol.events import FinishedTest
from tdd_monitor.session import metrics
from tdd_monitor.session.model import Item, ItemState, Run
from tdd_monitor.ui.text import charts, format, words
from tdd_monitor.ui.text.parts import Part, Parts
from tdd_monitor.verdict import Alert, Board, Severity


@dataclass(frozen=True, slots=True)
class Facts:
    """The data of one row, from which its cells are made."""

    item: Item
    record: FinishedTest | None
    alerts: tuple[Alert, ...]
    threshold_ms: float
    elapsed_ns: int  # of a running item, else 0
    run: str  # "run 1" for a result of an earlier run, else ""

    @property
    def took_ms(self) -> float:
        """The test's own time, or the time it has been running."""
        return (self.elapsed_ns or self.item.own_ns) / figures.NS_PER_MS


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, its width (0: the remaining width), the sort key that it represents."""

    key: str
    title: str
    width: int
    sort: str
    cell: Callable[[Facts, int], Parts]
    right: bool = True


GUTTER = 2
NAME_MIN = 30


def facts(board: Board, item: Item, run: Run | None, now_ns: int) -> Facts:
    """The data for the row of `item`."""
    running = item.state is ItemState.RUNNING
    earlier = run is not None and item.record_run not in (0, run.number)
    return Facts(
        item,
        None if running else item.record,
        tuple(board.of_test.get(item.nodeid, ())) if not running else (),
        board.thresholds_of(item.nodeid).test_duration_ms,
        max(0, now_ns - item.started_ns) if running and item.started_ns else 0,
        f"run {item.record_run}" if earlier and not running else "",
    )


def _status(facts: Facts, width: int) -> Parts:
    word = words.of_item(facts.item)
    return ((format.fit(f"{word.glyph} {word.word}", width), word.role),)


def _name(facts: Facts, width: int) -> Parts:
    if facts.run and width > 24:
        room = width - len(facts.run) - 1
        return ((format.fit(format.name(facts.item.nodeid, room), room + 1), "text"), (facts.run, "dim"))
    return ((format.fit(format.name(facts.item.nodeid, width), width), "text"),)


def _duration(facts: Facts, width: int) -> Parts:
    if facts.elapsed_ns:
        return ((format.fit(figures.nanoseconds(facts.elapsed_ns), width, right=True), "running"),)
    if facts.record is None or facts.item.outcome == "skipped":
        return (_empty(width),)
    text = format.fit(figures.nanoseconds(facts.item.own_ns), width, right=True)
    return ((text, words.of_value(facts.took_ms, facts.threshold_ms).role),)


def _threshold(facts: Facts, width: int) -> Parts:
    """A bar up to the threshold; beyond it, a full bar with glyph and factor."""
    shown = facts.elapsed_ns or (facts.record is not None and facts.item.outcome != "skipped")
    if not shown or not facts.threshold_ms:
        return (_empty(width),)
    ratio = facts.took_ms / facts.threshold_ms
    mark = 7  # "◆ 12.4x"
    length = width - mark
    word = words.of_value(facts.took_ms, facts.threshold_ms)
    if word is words.WITHIN:
        role = "running" if facts.elapsed_ns else "good"
        return (*charts.bar(ratio, length, role), (" " * mark, "text"))
    text = format.fit(f" {word.glyph} {figures.factor(ratio)}", mark)
    return (*charts.bar(1.0, length, word.role), (text, word.role))


def _phase(when: str) -> Callable[[Facts, int], Parts]:
    def cell(facts: Facts, width: int) -> Parts:
        part = metrics.phase(facts.record, when) if facts.record is not None else None
        if part is None:
            return (_empty(width),)
        role = "failed" if part.outcome == "failed" else "dim"
        return ((format.fit(figures.nanoseconds(metrics.phase_ns(part)), width, right=True), role),)

    return cell


def _memory(facts: Facts, width: int) -> Parts:
    if facts.record is None:
        return (_empty(width),)
    delta = metrics.memory_delta_bytes(facts.record)
    if abs(delta) < figures.MB / 20:
        return (_empty(width),)
    over = _severity(facts, "memory_usage_mb")
    return (_marked(figures.size(delta, signed=True), over, width),)


def _queries(facts: Facts, width: int) -> Parts:
    if facts.record is not None and not metrics.has_queries(facts.record):
        return ((format.fit("unknown", width, right=True), "dim"),)
    count = metrics.queries(facts.record) if facts.record is not None else 0
    if not count:
        return (_empty(width),)
    over = _severity(facts, "leaked_connections") or _severity(facts, "repeated_queries")
    return (_marked(f"{count:,}", over, width),)


def _worker(facts: Facts, width: int) -> Parts:
    return ((format.fit(format.visible(facts.item.worker), width), "dim"),)


def _severity(facts: Facts, metric: str) -> Severity | None:
    return next((alert.severity for alert in facts.alerts if alert.metric == metric), None)


def _marked(text: str, severity: Severity | None, width: int) -> Part:
    if severity is None:
        return (format.fit(text, width, right=True), "dim")
    word = words.SEVERITIES[severity]
    return (format.fit(f"{word.glyph} {text}", width, right=True), word.role)


def _empty(width: int) -> Part:
    return (format.fit("·", width, right=True), "idle")


STATUS = Column("status", "status", 9, "status", _status, right=False)
NAME = Column("name", "test", 0, "name", _name, right=False)
DURATION = Column("duration", "time", 8, "duration", _duration)
THRESHOLD = Column("threshold", "of threshold", 12, "duration", _threshold, right=False)
SETUP = Column("setup", "setup", 8, "setup", _phase("setup"))
CALL = Column("call", "call", 8, "call", _phase("call"))
TEARDOWN = Column("teardown", "teardown", 8, "teardown", _phase("teardown"))
MEMORY = Column("memory", "memory", 10, "memory", _memory)
QUERIES = Column("queries", "queries", 7, "queries", _queries)
WORKER = Column("worker", "on", 5, "worker", _worker, right=False)

# In the order in which they are dropped when there is no space for the name.
DROP_ORDER = ("worker", "teardown", "setup", "call", "queries", "memory", "threshold")


def choose(width: int, sort: str = "order", with_workers: bool = False) -> list[Column]:
    """The columns for a row of `width` cells, with the name's width filled in.

    The column that the rows are sorted by is dropped last.
    """
    columns = [STATUS, NAME, DURATION, THRESHOLD, SETUP, CALL, TEARDOWN, MEMORY, QUERIES]
    if with_workers:
        columns.append(WORKER)
    for key in sorted(DROP_ORDER, key=lambda key: key == sort):
        if _room(columns, width) >= NAME_MIN:
            break
        columns = [column for column in columns if column.key != key]
    room = max(8, _room(columns, width))
    # In a wide row the bar gets some of the space that the name does not need.
    if room > 90 and THRESHOLD in columns:
        columns[columns.index(THRESHOLD)] = replace(THRESHOLD, width=20)
        room -= 8
    return [column if column.width else replace(column, width=room) for column in columns]


def _room(columns: list[Column], width: int) -> int:
    return width - GUTTER - sum(column.width + 1 for column in columns if column.width)


def title_row(columns: list[Column], sort: str, reverse: bool) -> Parts:
    """The titles, with a mark on the column that the rows are sorted by."""
    parts: list[Part] = [(" " * GUTTER, "head")]
    marked = False
    for number, column in enumerate(columns):
        parts += [(" ", "head")] if number else []
        here = column.sort == sort and not marked
        marked = marked or here
        text = column.title
        if here:
            text = f"{text} {'▲' if reverse else '▼'}"
            text = text if cell_len(text) <= column.width else text.replace(" ", "", 1)
        parts.append((format.fit(text, column.width, right=column.right), "accent" if here else "head"))
    return tuple(parts)


def row_parts(columns: list[Column], facts: Facts, on_cursor: bool, marked: bool) -> Parts:
    """One row. The cursor and the mark have their own characters, so they show without colour."""
    parts: list[Part] = [("▌" if on_cursor else " ", "accent"), ("•" if marked else " ", "accent")]
    for number, column in enumerate(columns):
        parts += [(" ", "text")] if number else []
        parts += column.cell(facts, column.width)
    return tuple(parts)
