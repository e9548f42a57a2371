"""What each line does to the tests of a session, one rule at a time."""

from session.playing import MS, A, B, C, D, collect, item, passed, play, tell, whole
from tdd_monitor.protocol.events import (
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
    StartedTest,
)
from tdd_monitor.session import queries
from tdd_monitor.session.model import HISTORY, ItemState, Session


def test_a_partial_rerun_keeps_the_others_with_their_run() -> None:
    session = play(
        *whole(A, B), RunRequest("s", "some"), *collect(B), passed(B, outcome="failed"), RunFinish(1)
    )
    assert [(i.outcome, i.record_run) for i in session.items.values()] == [("passed", 1), ("failed", 2)]
    assert +session.counts == {"passed": 1, "failed": 1}


def test_tests_that_were_not_reached_keep_their_results() -> None:
    session = play(*whole(A, B), RunRequest("s", "all"), *collect(A, B, C), passed(A, outcome="failed"))
    assert [i.state for i in session.items.values()] == [ItemState.DONE, ItemState.PENDING, ItemState.PENDING]
    play(RunCancel("maxfail"), RunFinish(1), session=session)
    assert [(i.state, i.outcome, i.record_run) for i in session.items.values()] == [
        (ItemState.DONE, "failed", 2),
        (ItemState.DONE, "passed", 1),
        (ItemState.IDLE, "", 0),
    ]


def test_a_lost_run_marks_what_was_running_on_every_worker() -> None:
    session = play(
        RunRequest("r", "all"), *collect(A, B, C), ("gw0", StartedTest(A, 1)), ("gw1", StartedTest(B, 1))
    )
    delta = tell(session, RunLost(-9, "SIGKILL"))
    assert delta.items == {A, B, C}
    assert [i.outcome for i in session.items.values()] == ["lost", "lost", ""]
    assert session.run is not None
    assert session.run.lost_nodeids == (A, B)
    assert queries.failed(session) == [A, B]
    assert +session.counts == +session.run.counts == {"lost": 2}


def test_a_lost_test_does_not_show_the_figures_of_an_earlier_run() -> None:
    session = play(*whole(A), RunRequest("s", "all"), *collect(A), StartedTest(A, 1), RunLost(-9))
    assert (item(session, A).record, item(session, A).own_ns, item(session, A).record_run) == (None, -1, 2)
    assert queries.durations(session).count == 0


def test_a_test_that_passes_on_its_second_attempt_is_flaky_and_counts_once() -> None:
    session = play(RunRequest("r", "all"), *collect(A), passed(A, outcome="rerun"))
    assert session.run is not None
    assert (item(session, A).state, session.run.done) == (ItemState.PENDING, 0)
    play(StartedTest(A, 2), passed(A, attempt=2), session=session)
    assert (item(session, A).flaky, len(item(session, A).earlier), session.run.done) == (True, 1, 1)
    assert +session.run.counts == {"rerun": 1, "passed": 1}
    assert +session.counts == {"passed": 1}
    assert item(session, A).history_ns == ()


def test_a_flaky_test_stays_flaky_until_its_next_run() -> None:
    session = play(
        RunRequest("r", "all"), *collect(A), passed(A, outcome="rerun"), passed(A, attempt=2), RunFinish(0)
    )
    play(RunRequest("s", "all"), *collect(A), StartedTest(A, 1), session=session)
    assert item(session, A).flaky
    play(passed(A), session=session)
    assert not item(session, A).flaky


def test_two_executions_of_one_node_id_both_count() -> None:
    session = play(RunRequest("r", "all"), *collect(A), passed(A, 1), passed(A, 2))
    assert session.run is not None
    assert (+session.run.counts, session.run.done) == ({"passed": 2}, 1)
    assert +session.counts == {"passed": 1}


def test_history_holds_the_last_passed_first_attempts() -> None:
    session = Session()
    for number in range(HISTORY + 5):
        play(RunRequest(f"r{number}", "all"), passed(A, number), RunFinish(0), session=session)
    play(RunRequest("f", "all"), passed(A, 77, outcome="failed"), RunFinish(1), session=session)
    assert item(session, A).history_ns == tuple(n * MS for n in range(5, HISTORY + 5))


def test_nothing_runs_after_the_end() -> None:
    session = play(*whole(A), StartedTest(A, 1), StartedTest(B, 1), *collect(A, C))
    assert {i.state for i in session.items.values()} <= {ItemState.DONE, ItemState.IDLE}


def test_collection_order_survives_a_duplicate_chunk_and_an_early_start() -> None:
    chunk, finish = collect(A, B, C)
    session = play(RunRequest("r", "all"), ("gw1", StartedTest(C, 1)), chunk, chunk, finish)
    assert queries.visible(session) == [A, B, C]
    assert session.run is not None
    assert session.run.collected == 3
    assert item(session, C).state is ItemState.RUNNING


def test_a_test_that_is_new_in_a_partial_run_comes_last() -> None:
    session = play(
        *whole(A, B, C), RunRequest("s", "some", files=("a.py",)), *collect(B), passed(B), RunFinish(0)
    )
    play(RunRequest("t", "some", files=("sub/c.py",)), *collect(D), session=session)
    assert queries.visible(session) == [B, C, D]
