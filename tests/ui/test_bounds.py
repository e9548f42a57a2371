"""However much there is, a frame stays short: what is not shown is said to be there."""

from support import streams

from tdd_monitor.protocol.events import Hello, StartedTest, WorkerDown, WorkerUp
from tdd_monitor.ui.panels import workers
from tdd_monitor.ui.view import View
from tdd_monitor.verdict import Board


def text(rows: object) -> list[str]:
    return ["".join(text for text, _role in row.parts).strip() for row in rows]  # type: ignore[attr-defined]


def test_of_many_workers_the_first_are_shown_and_those_that_live_come_first() -> None:
    board = Board()
    stream = streams.Stream()
    stream.open("run-1", "all", "start", plugins=("xdist",))
    for number in range(24_000):
        stream.emit(WorkerUp(f"gw{number}"))
        if number != 23_990:
            stream.emit(WorkerDown(f"gw{number}", True, "crashed"))
    stream.emit(Hello(1, "", "run-1", 4300, "worker", 4242), "gw23990")
    stream.emit(StartedTest("tests/test_a.py::test", 1), "gw23990")
    for line in stream.lines:
        board.apply(line)
    view = View(board)
    rows = text(workers.rows(view, 40, 8))
    assert len(rows) == workers.SHOWN + 1
    assert "test" in rows[0] and rows[-1] == "… and 23,900 more."
    assert workers.heading(view) == "24,000 · † 23,999 crashed"
