"""What passes the gate, what fails it, and what was not measured."""

from dataclasses import replace
from typing import Any

import pytest
from support import streams

from tdd_monitor.config import GateSettings
from tdd_monitor.config.gate import GATE_FAILED, NOT_MEASURED, PASSED
from tdd_monitor.protocol.events import Line, LinesLost
from tdd_monitor.reports.json import document
from tdd_monitor.verdict import Board
from tdd_monitor.verdict.gate import Status, evaluate, measurements
from tdd_monitor.verdict.regressions import Judgement, State, Verdict

GENEROUS = GateSettings(1e9, 1e9, 1e9, 1e9, leaks="off")


def board_of(lines: list[Line]) -> Board:
    board = Board()
    for line in lines:
        board.apply(line)
    return board


def report(lines: list[Line]) -> dict[str, Any]:
    return document(board_of(lines), 0)


def quick(calls_ms: tuple[float, ...] = (3, 9), outcome: str = "passed") -> list[Line]:
    """A run of one test for each duration of the call."""
    stream = streams.Stream()
    stream.open("r", "all", "")
    scripts = [streams.Script(f"t.py::t{n}", outcome, call=ms) for n, ms in enumerate(calls_ms)]
    stream.collect(streams.collected(scripts))
    for script in scripts:
        stream.test(script)
    stream.finish(0)
    return stream.lines


def statuses(document: dict[str, Any], settings: GateSettings) -> dict[str, str]:
    return {check.name: check.status.value for check in evaluate(document, settings).checks}


def test_every_limit_is_checked() -> None:
    shop = report(streams.shop())
    assert evaluate(shop, GENEROUS).exitcode == PASSED
    for name, value in measurements(shop).items():
        limit: dict[str, Any] = {name: value * 0.99}
        tight = replace(GENEROUS, **limit)
        assert evaluate(shop, tight).exitcode == GATE_FAILED
        assert [key for key, status in statuses(shop, tight).items() if status == "failed"] == [
            name,
            "thresholds",
        ]
        limit = {name: value}
        assert evaluate(shop, replace(GENEROUS, **limit)).exitcode == PASSED


def test_measurements_are_of_the_tests_that_ran() -> None:
    values = measurements(report(quick((3, 9))))
    assert 3 <= values["average_test_time_ms"] < values["max_test_time_ms"]
    assert values["test_suite_time_seconds"] > 0.3  # with pytest's own start


def test_leaks_fail_and_thresholds_warn() -> None:
    shop = report(streams.shop())
    verdict = evaluate(shop, replace(GENEROUS, leaks="fail"))
    found = {check.name: check for check in verdict.checks}
    assert verdict.exitcode == GATE_FAILED
    assert found["leaks"].status is Status.FAILED and "such as leaked_connections of" in found["leaks"].detail
    assert (found["thresholds"].level, found["thresholds"].status) == ("warn", Status.FAILED)
    assert evaluate(shop, replace(GENEROUS, thresholds="fail")).exitcode == GATE_FAILED


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (quick(outcome="skipped"), "no test ran"),
        (quick()[:-1], "the run is running"),
        ([*quick()[:-1], Line(999, 1, "", LinesLost(3)), quick()[-1]], "results are missing from the report"),
        (streams.lost(), "the run is lost"),
        (streams.collection_errors(), "no test ran"),
    ],
)
def test_a_missing_measurement_never_passes(lines: list[Line], reason: str) -> None:
    verdict = evaluate(report(lines), GENEROUS)
    assert verdict.exitcode == NOT_MEASURED
    assert {(check.status, check.detail) for check in verdict.checks} == {(Status.NOT_MEASURED, reason)}


def test_a_limit_of_zero_and_a_level_of_off_leave_checks_out() -> None:
    settings = GateSettings(0, 1e9, 0, 0, thresholds="off", leaks="off")
    assert statuses(report(quick()), settings) == {"max_test_time_ms": "passed"}


def test_a_gate_that_checks_nothing_does_not_pass() -> None:
    nothing = GateSettings(requirements="off", thresholds="off", leaks="off")
    assert evaluate(report(quick()), nothing).exitcode == NOT_MEASURED


@pytest.mark.parametrize(
    ("state", "exitcode"),
    [
        (State.REGRESSED, GATE_FAILED),
        (State.SUSPECTED, PASSED),
        (State.LEARNING, NOT_MEASURED),
    ],
)
def test_regressions_fail_where_they_are_told_to(state: State, exitcode: int) -> None:
    board = board_of(streams.shop())
    nodeid = streams.SHOP[0].nodeid
    verdict = Verdict(nodeid, "queries", state, 3, 4, "exact: the baseline is 3")
    board.judgement = Judgement(None, {nodeid: state}, (verdict,))
    assert evaluate(document(board, 0), replace(GENEROUS, regressions="fail")).exitcode == exitcode
    assert evaluate(document(board, 0), GENEROUS).exitcode == PASSED


def test_without_a_history_there_are_no_regressions_to_measure() -> None:
    assert evaluate(report(quick()), replace(GENEROUS, regressions="fail")).exitcode == NOT_MEASURED
