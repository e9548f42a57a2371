"""What the summary and the JSON report say about a run compared with earlier ones."""

import io

import pytest
from rich.console import Console

from tdd_monitor.reports import regressions as report
from tdd_monitor.verdict.regressions import Judgement, State, Verdict

SLOWER = Verdict(
    "a.py::slow\x1b[2J", "test_duration_ms", State.SUSPECTED, 20.0, 44.0, "above 10 earlier runs"
)
MORE = Verdict("a.py::more", "queries", State.REGRESSED, 3, 4, "exact: the baseline is 3")
STATES = {"a.py::slow\x1b[2J": State.SUSPECTED, "a.py::more": State.REGRESSED, "a.py::t": State.OK}


def printed(judgement: Judgement) -> str:
    text = io.StringIO()
    report.print_judgement(judgement, Console(file=text, width=150))
    return text.getvalue()


def test_changes_are_listed_with_both_values_the_regressed_ones_first() -> None:
    text = printed(Judgement(1.02, STATES, (SLOWER, MORE)))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[2] == "▲ regressed queries 3 4 a.py::more exact: the baseline is 3"
    assert lines[3].startswith("? suspected duration 20.0 ms 44.0 ms a.py::slow")
    assert lines[4].endswith("1 regressed, 1 suspected in 3 tests; the run was as fast as usual.")
    assert "\x1b[2J" not in text


@pytest.mark.parametrize(
    ("judgement", "expected"),
    [
        (Judgement(), "No earlier runs to compare with yet"),
        (Judgement(None, {"a.py::t": State.LEARNING}), "No earlier runs to compare with yet"),
        (Judgement(None, {"a.py::t": State.OK}), "no evidence of a regression in 1 test."),
        (Judgement(None, {"a": State.OK, "b": State.LEARNING}), "in 1 test, 1 too new to compare."),
        (Judgement(1.4, {"a": State.OK}), "all tests took 1.4x as long as usual, corrected for: the machine"),
        (Judgement(0.5, {"a": State.OK}), "all tests took 0.5x as long as usual, corrected for."),
    ],
)
def test_the_last_line_sums_up(judgement: Judgement, expected: str) -> None:
    assert expected in report.outcome(judgement)


def test_the_document_has_every_verdict_and_counts_every_state() -> None:
    found = report.document(Judgement(1.3, STATES, (MORE,)))
    assert found is not None
    assert found["counts"] == {"learning": 0, "ok": 1, "improved": 0, "suspected": 1, "regressed": 1}
    assert found["whole_run_slow"] is True
    (verdict,) = found["verdicts"]
    assert (verdict["nodeid"], verdict["before"], verdict["after"]) == ("a.py::more", 3, 4)
    assert report.document(None) is None
