"""The board judges what changed and forgets what is gone."""

import pytest
from support.streams import lost, rerun_failed, shop, xdist

from tdd_monitor.config import Override, Thresholds
from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectFinish,
    Event,
    FinishedTest,
    FixtureUse,
    Hello,
    Line,
    Phase,
    RunFinish,
    RunLost,
    RunRequest,
    StartedTest,
)
from tdd_monitor.protocol.marks import OwnThreshold
from tdd_monitor.verdict import Board, Severity
from tdd_monitor.verdict.alerts import of_test

A, B = "a.py::test_1", "a.py::test_2"
MB = 1 << 20


def board_after(*events: Event, thresholds: Thresholds | None = None, board: Board | None = None) -> Board:
    board = board or Board(thresholds)
    for event in events:
        board.apply(Line(0, board.session.now_ns + 1, "", event))
    return board


def taking(nodeid: str, ms: int) -> FinishedTest:
    return FinishedTest(nodeid, "passed", 1, phases=(Phase("call", "passed", ms * 1_000_000),))


def run_of(*records: FinishedTest) -> tuple[Event, ...]:
    collected = Collect(tuple(CollectedTest(record.nodeid) for record in records))
    return RunRequest("r", "all"), collected, CollectFinish(len(records)), *records, RunFinish(0)


def test_tests_over_a_threshold_are_listed_in_their_order() -> None:
    board = board_after(*run_of(taking(B, 300), taking("b.py::t", 20), taking(A, 120)))
    assert board.over_threshold() == [B, A]
    assert [(alert.subject, alert.severity.value) for alert in board.alerts()] == [
        (B, "critical"),
        (A, "warning"),
    ]


def test_a_test_that_became_quick_is_off_the_list() -> None:
    board = board_after(*run_of(taking(A, 300)), *run_of(taking(A, 20)))
    assert board.of_test == {}


@pytest.mark.parametrize(
    "second", [run_of(taking(B, 1)), (RunRequest("s", "all"), StartedTest(A, 1), RunLost(-9))]
)
def test_a_test_that_was_deleted_or_lost_has_no_alerts_left(second: tuple[Event, ...]) -> None:
    board = board_after(*run_of(taking(A, 300), taking(B, 1)))
    assert board.over_threshold() == [A]
    board_after(*second, board=board)
    assert board.over_threshold() == []
    assert board.alerts() == []


def test_an_alert_keeps_its_time_while_its_test_runs_again() -> None:
    board = board_after(*run_of(taking(A, 300)))
    (alert,) = board.of_test[A]
    board_after(RunRequest("s", "all"), StartedTest(A, 1), board=board)
    assert board.of_test[A] == [alert]


def test_processes_and_tests_are_sorted_together() -> None:
    leaks = [
        taking(f"b.py::test_{n}_{half}", 1)._replace(
            phases=(Phase("call", "passed", 1, 0, (50 + n) * MB, MB),)
        )
        for n in range(13)
        for half in range(2)
    ]
    board = board_after(RunRequest("r", "all"), *leaks, taking(A, 400), taking(B, 101))
    assert [alert.metric for alert in board.alerts()] == [
        "test_duration_ms",
        "memory_growth_mb",
        "test_duration_ms",
    ]


def using(nodeid: str, setup_ms: int) -> FinishedTest:
    ns = setup_ms * 1_000_000
    use = FixtureUse("db", "session", ns, ns, cached=not setup_ms, first_user=A)
    return taking(nodeid, 1)._replace(fixtures=(use,))


def test_a_shared_fixture_is_judged_when_the_run_of_everything_is_over() -> None:
    *going, end = run_of(using(A, 30), using(B, 0))
    board = board_after(*going)
    assert board.alerts() == []
    delta = board.apply(Line(0, board.session.now_ns + 1, "", end))
    (alert,) = board.alerts()
    assert (alert.subject, alert.value) == ("fixture db (session scope)", 15)
    assert board.over_threshold() == [A] and A in delta.items
    # A part of the tests says nothing of how many share it.
    board_after(
        RunRequest("s", "some"), Hello(1, "", "s", 1, "single"), using(A, 30), RunFinish(0), board=board
    )
    assert board.alerts() == []
    board_after(*run_of(using(A, 9), using(B, 0)), board=board)
    assert board.alerts() == []


def test_tests_of_one_fixture_are_one_alert_and_all_run_again() -> None:
    slow = FixtureUse("db", "function", 9_000_000, 9_000_000)
    board = board_after(*run_of(*(taking(n, 1)._replace(fixtures=(slow,)) for n in (A, B))))
    (alert,) = board.alerts()
    assert set(alert.tests) == {A, B}
    assert board.over_threshold() == [A, B]


def test_thresholds_are_those_that_were_given() -> None:
    assert board_after(*run_of(taking(A, 300)), thresholds=Thresholds(test_duration_ms=0)).alerts() == []


def marked(nodeid: str, limit: float, metric: str = "test_duration_ms") -> CollectedTest:
    return CollectedTest(nodeid, thresholds=(OwnThreshold(metric, limit, f"mark {limit:g}"),))


def test_a_test_is_judged_by_its_own_thresholds() -> None:
    override = Override("p:1", nodeid="b.py::*", limits=(("test_duration_ms", 250),))
    board = Board(Thresholds(), [override])
    tests = marked(A, 0), marked(B, 200), CollectedTest("b.py::t")
    records = [taking(nodeid, 300) for nodeid in (A, B, "b.py::t")]
    board_after(RunRequest("r", "all"), Collect(tests), *records, RunFinish(0), board=board)
    assert [
        (alert.subject, alert.threshold, alert.rule, alert.severity.value) for alert in board.alerts()
    ] == [
        (B, 200, "mark 200", "warning"),
        ("b.py::t", 250, "p:1", "warning"),
    ]


def test_marks_that_arrive_after_the_record_still_count() -> None:
    board = board_after(RunRequest("r", "all"), taking(A, 300), Collect((marked(A, 400),)))
    assert board.alerts() == []


def test_the_marks_of_the_latest_collection_count() -> None:
    board = board_after(RunRequest("r", "all"), Collect((marked(A, 400),)), taking(A, 300), RunFinish(0))
    assert board.alerts() == []
    board_after(*run_of(taking(A, 300)), board=board)
    assert [alert.rule for alert in board.alerts()] == [""]


def test_a_shared_fixture_is_judged_by_the_test_it_was_set_up_for() -> None:
    collected = Collect((marked(A, 20, "fixture_setup_ms"), CollectedTest(B)))
    board = board_after(RunRequest("r", "all"), collected, using(A, 30), using(B, 0), RunFinish(0))
    assert board.alerts() == []
    board_after(RunRequest("r", "all"), collected, using(A, 50), using(B, 0), RunFinish(0), board=board)
    (alert,) = board.alerts()
    assert (alert.value, alert.threshold, alert.rule) == (25, 20, "mark 20")


@pytest.mark.parametrize("lines", [shop(), xdist(), xdist(finish=True), lost(), rerun_failed()])
def test_incremental_alerts_equal_a_recomputation(lines: list[Line]) -> None:
    board = Board()
    for line in lines:
        board.apply(line)
    kept = {nodeid: [alert.metric for alert in found] for nodeid, found in board.of_test.items()}
    for found in kept.values():
        found[:] = [metric for metric in found if metric != "fixture_setup_ms"]  # shared ones come at the end
    anew = {
        item.nodeid: [
            alert.metric
            for alert in of_test(item.record, board.thresholds, 0)
            if alert.metric != "fixture_setup_ms"
        ]
        for item in board.session.items.values()
        if item.record is not None
    }
    assert {n: found for n, found in kept.items() if found} == {
        n: found for n, found in anew.items() if found
    }
    order = [(alert.severity is not Severity.CRITICAL, -alert.factor) for alert in board.alerts()]
    assert order == sorted(order)
