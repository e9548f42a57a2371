"""pytest's own counts and the numbers of the lines, against what has arrived."""

import pytest

from tdd_monitor.protocol.events import (
    Event,
    FinishedTest,
    Line,
    LinesLost,
    Phase,
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
)
from tdd_monitor.session import completeness, reducer
from tdd_monitor.session.model import Run, Session


def run_of(*events: Event) -> Run:
    session = Session()
    for number, event in enumerate((RunRequest("r", "all"), *events), 1):
        reducer.apply(session, Line(number, number, "", event))
    assert session.run is not None
    return session.run


def told(name: str, outcome: str = "passed", began_ns: int = 1) -> FinishedTest:
    return FinishedTest(f"t.py::{name}", outcome, 1, began_ns, (Phase("call", outcome),))


THREE = (told("a"), told("b"), told("c", "failed"))


@pytest.mark.parametrize(
    "events",
    [
        (*THREE, RunFinish(1, {"passed": 2, "failed": 1, "warnings": 7, "deselected": 3})),
        (*THREE, RunFinish(1)),  # a suite without the terminal's report
        (*THREE, RunFinish(1, {"passed": 1, "failed": 1, "unstable": 1})),  # a plugin's own word
        (*THREE, RunFinish(1, {"passed": 2, "failed": 1, "subtests passed": 40})),
        (*THREE, RunCancel("maxfail"), RunFinish(1, {"passed": 1, "failed": 1})),  # workers went on
        (THREE[0], RunLost(-9, "SIGKILL")),
        THREE,
    ],
    ids=["equal", "no terminal", "own word", "subtests", "stopped", "lost", "going"],
)
def test_nothing_is_missing(events: tuple[Event, ...]) -> None:
    assert completeness.problems(run_of(*events)) == []


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        (
            (*THREE, RunFinish(1, {"passed": 3, "failed": 1})),
            "pytest counted 3 passed; the monitor received 2.",
        ),
        (
            (*THREE, RunFinish(1, {"passed": 1, "failed": 2})),
            "pytest counted 1 passed, 2 failed; the monitor received 2, 1.",
        ),
        ((RunFinish(0, {"passed": 1_200}),), "pytest counted 1,200 passed; the monitor received 0."),
        ((*THREE, RunFinish(1, {"failed": 1})), "pytest counted 0 passed; the monitor received 2."),
        (
            (*THREE, RunCancel("maxfail"), RunFinish(1, {"passed": 3, "failed": 1})),
            "pytest counted 3 passed; the monitor received 2.",
        ),
        ((LinesLost(1), RunFinish(0)), "1 line from pytest never arrived."),
        ((LinesLost(1), LinesLost(2), RunFinish(0)), "3 lines from pytest never arrived."),
        ((LinesLost(0, 2), RunFinish(0)), "2 lines from pytest could not be read."),
        ((LinesLost(0, 1), RunLost(-9)), "1 line from pytest could not be read."),
    ],
)
def test_missing_results_are_reported(events: tuple[Event, ...], problem: str) -> None:
    assert completeness.problems(run_of(*events)) == [problem]


def test_an_attempt_that_is_sent_twice_counts_once() -> None:
    again = told("a")._replace(drift_bytes=9)
    run = run_of(told("a"), again, told("b", began_ns=2), RunFinish(0, {"passed": 2}))
    assert run.counts["passed"] == run.done == 2
    assert completeness.problems(run) == []
