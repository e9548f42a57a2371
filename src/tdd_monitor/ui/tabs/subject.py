"""The test shown on the detail screen."""

from collections.abc import Iterator
from dataclasses import dataclass

from tdd_monitor import figures
from tdd_monitor.config import Thresholds
from tdd_monitor.protocol.events import FinishedTest
from tdd_monitor.session.metrics import memory_delta_bytes, own_ns, queries, unmeasured_queries
from tdd_monitor.session.model import Item, ItemState
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.text import format, words
from tdd_monitor.ui.text.parts import Part, Row, row
from tdd_monitor.verdict import Alert


@dataclass(frozen=True, slots=True)
class Subject:
    """One test, with the view it is part of."""

    item: Item
    view: View

    @property
    def record(self) -> FinishedTest | None:
        """Its last attempt."""
        return self.item.record

    @property
    def alerts(self) -> list[Alert]:
        """Its alerts."""
        return self.view.board.of_test.get(self.item.nodeid, [])

    @property
    def thresholds(self) -> Thresholds:
        """Its thresholds."""
        return self.view.board.thresholds_of(self.item.nodeid)

    @property
    def running_ms(self) -> float | None:
        """The time it has been running, None if it is not running."""
        if self.item.state is not ItemState.RUNNING:
            return None
        return max(0, self.view.now_ns - self.item.started_ns) / figures.NS_PER_MS


def heading(subject: Subject, width: int) -> list[tuple[Part, ...]]:
    """Two lines above the tabs: the test, its state, its key figures."""
    item, record = subject.item, subject.record
    word = words.of_item(item)
    status = f" {word.glyph} {word.word}  "
    first: tuple[Part, ...] = (
        (status, word.role),
        (format.name(item.nodeid, width - len(status) - 1), "strong"),
    )
    facts = []
    if subject.running_ms is not None:
        on = f" on {format.visible(item.worker)}" if item.worker else ""
        facts.append(f"running for {figures.milliseconds(subject.running_ms)}{on}")
    if record is not None:
        facts.append(figures.nanoseconds(own_ns(record)))
        if count := queries(record):
            facts.append(figures.plural(count, "query", "queries"))
        elif record.unwatched:
            facts.append(f"queries {format.visible(unmeasured_queries(record))}")
        facts.append(figures.size(memory_delta_bytes(record), signed=True))
    if item.line:
        facts.append(f"{format.visible(item.file)}:{item.line}")
    run = subject.view.board.session.run
    if run is not None and item.record_run not in (0, run.number):
        facts.append(f"from run {item.record_run}")
    return [first, ((format.fit("  " + " · ".join(facts), width - 1), "dim"),)]


def text_rows(text: str, width: int, role: str = "text", indent: int = 2) -> Iterator[Row]:
    """Prose, wrapped."""
    for line in format.wrap(format.visible(text), max(10, width - indent)):
        yield row((" " * indent + line, role))


def headline(text: str) -> Row:
    """A heading within a tab."""
    return row((text, "head"))
