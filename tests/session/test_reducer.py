"""What each line does to the session, one rule at a time; random streams are tested separately."""

import pytest

from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectError,
    CollectFinish,
    CollectSkip,
    Event,
    FinishedTest,
    FixtureLate,
    FixtureUse,
    Hello,
    Line,
    Phase,
    PoolSample,
    PoolUse,
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
    Sample,
    StartedTest,
    Statement,
    WarningRaised,
    WorkerDown,
    WorkerUp,
)
from tdd_monitor.session import queries, reducer
from tdd_monitor.session.model import HISTORY, Delta, Item, ItemState, RunState, Session

MS = 1_000_000
MB = 1 << 20


def play(*events: Event | tuple[str, Event], session: Session | None = None) -> Session:
    """A session after these events; a tuple names the worker that sent one."""
    session = session or Session()
    for event in events:
        tell(session, event)
    return session


def tell(session: Session, event: Event | tuple[str, Event]) -> Delta:
    worker, said = ("", event) if hasattr(event, "_fields") else event
    return reducer.apply(session, Line(session.now_ns, session.now_ns + MS, worker, said))  # type: ignore[arg-type]


def passed(nodeid: str, call_ms: float = 1, attempt: int = 1, outcome: str = "passed") -> FinishedTest:
    return FinishedTest(nodeid, outcome, attempt, phases=(Phase("call", outcome, int(call_ms * MS)),))


def collect(*nodeids: str) -> tuple[Event, Event]:
    return Collect(tuple(CollectedTest(n, n.partition("::")[0]) for n in nodeids)), CollectFinish(
        len(nodeids)
    )


def whole(*nodeids: str) -> tuple[Event, ...]:
    """A run of all tests, in which these pass."""
    return RunRequest("r", "all"), *collect(*nodeids), *map(passed, nodeids), RunFinish(0)


def item(session: Session, nodeid: str) -> Item:
    return session.items[nodeid]


A, B, C, D = "a.py::test_1", "a.py::test_2", "b.py::test_1", "sub/c.py::test_1"


# What becomes of items


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


# What is deleted


def test_a_test_that_is_deselected_once_is_not_deleted() -> None:
    session = play(*whole(A, B, C))
    for number, (names, deselected) in enumerate([((A,), 2), ((A, B, C), 0), ((A,), 0)]):
        chunk, finish = collect(*names)
        assert isinstance(finish, CollectFinish)
        finish = finish._replace(deselected=deselected)
        play(RunRequest(str(number), "all"), chunk, finish, passed(A), RunFinish(0), session=session)
        assert set(session.items) == ({A, B, C} if number < 2 else {A})


@pytest.mark.parametrize(
    ("second", "left"),
    [
        ((RunRequest("s", "all"), *collect(A, C), passed(A), RunFinish(0)), {A, C}),
        ((RunRequest("s", "all"), *collect(), RunFinish(5)), set()),
        ((RunRequest("s", "some", files=("a.py",)), *collect(A), passed(A), RunFinish(0)), {A, C, D}),
        ((RunRequest("s", "some", files=("a.py",)), *collect(A), StartedTest(A, 1)), {A, C, D}),
        ((RunRequest("s", "some", files=("a.py",)), *collect(A), StartedTest(A, 1), RunLost(-9)), {A, C, D}),
        ((RunRequest("s", "some", files=("a.py",)), *collect(), RunFinish(5)), {C, D}),
        (
            (
                RunRequest("s", "all"),
                CollectError("b.py"),
                *collect(A),
                RunCancel("collection"),
                RunFinish(2),
            ),
            {A, C, D},
        ),
        (
            (
                RunRequest("s", "all"),
                ("gw0", collect(A)[0]),
                ("gw0", collect(A)[1]),
                CollectError("b.py"),
                RunFinish(2),
            ),
            {A, C, D},
        ),
    ],
    ids=[
        "all",
        "all of them",
        "file",
        "at the first test",
        "lost",
        "whole file",
        "beside an error",
        "error told late",
    ],
)
def test_tests_that_are_no_longer_collected_are_deleted(second: tuple[Event, ...], left: set[str]) -> None:
    session = play(*whole(A, B, C, D), *second)
    assert set(session.items) == left
    assert sum(session.counts.values()) == len(left)


@pytest.mark.parametrize(
    "second",
    [
        (RunRequest("s", "some"), *collect(A), passed(A), RunFinish(0)),
        (RunRequest("s", "all"), CollectError("a.py"), *collect(C, D), RunFinish(2)),
        (RunRequest("s", "all"), CollectError("sub"), *collect(A, B, C), RunFinish(2)),
        (RunRequest("s", "all"), CollectError("a.py::TestX"), *collect(A, C, D), passed(A), RunFinish(1)),
        (RunRequest("s", "all"), *collect(), RunFinish(4)),
        (RunRequest("s", "all"), *collect(A), RunCancel("interrupt"), RunFinish(2)),
        (RunRequest("s", "all"), RunCancel("cancelled"), *collect(A), RunFinish(2)),
        (RunRequest("s", "all"), collect(A)[0], CollectFinish(4), passed(A), RunFinish(0)),
        (RunRequest("s", "all"), *collect(A), RunLost(-9)),
        (RunRequest("s", "all"), RunFinish(4)),
    ],
    ids=[
        "single tests",
        "broken file",
        "broken directory",
        "broken class",
        "usage error",
        "interrupted",
        "cancelled",
        "chunk lost",
        "died at once",
        "never collected",
    ],
)
def test_tests_that_may_still_exist_are_kept(second: tuple[Event, ...]) -> None:
    assert set(play(*whole(A, B, C, D), *second).items) == {A, B, C, D}


# Runs


@pytest.mark.parametrize("second", [RunFinish(0), RunLost(-9)])
def test_the_first_end_of_a_run_stands(second: Event) -> None:
    session = play(RunRequest("r", "all"), *collect(A), RunFinish(1), second)
    assert session.run is not None
    assert (session.run.state, session.run.exitstatus) == (RunState.FINISHED, 1)


def test_a_run_without_an_end_is_lost_when_the_next_begins() -> None:
    session = play(RunRequest("r", "all"), *collect(A, B), StartedTest(A, 1))
    delta = tell(session, Hello(1, "", "s", 1, "single"))
    assert [run.state for run in session.runs] == [RunState.LOST, RunState.COLLECTING]
    assert delta.items == {A, B}
    assert queries.running(session) == []


def test_states_of_a_run_follow_its_lines() -> None:
    session = Session()
    states = []
    for event in (
        RunRequest("r", "all"),
        Hello(1, "", "r", 1, "single"),
        *collect(A),
        RunCancel("interrupt", "Ctrl-C"),
        RunFinish(2),
    ):
        play(event, session=session)
        assert session.run is not None
        states.append(session.run.state.value)
    assert states == ["starting", "collecting", "collecting", "running", "cancelling", "finished"]


def test_the_first_reason_to_cancel_is_the_cause() -> None:
    session = play(RunRequest("r", "all"), RunCancel("cancelled", "a key"), RunCancel("interrupt", "SIGINT"))
    assert session.run is not None
    assert (session.run.cancel_reason, session.run.cancel_detail) == ("cancelled", "a key")


def test_a_file_that_fails_or_skips_as_a_module_and_as_doctests_counts_twice_and_is_shown_once() -> None:
    session = play(RunRequest("r", "all"), *(CollectError("a.py"), CollectSkip("b.py", "no database")) * 2)
    assert session.run is not None
    assert +session.run.counts == {"error": 2, "skipped": 2}
    assert (len(session.run.collect_errors), len(session.run.collect_skips)) == (1, 1)
    assert +session.counts == {}


def test_warnings_are_those_since_the_last_whole_run() -> None:
    session = play(RunRequest("r", "all"), WarningRaised("old"), RunFinish(0), RunRequest("s", "all"))
    play(WarningRaised("new"), RunFinish(0), RunRequest("t", "some"), WarningRaised("more"), session=session)
    assert [warning.message for warning in session.warnings] == ["new", "more"]


def test_expected_is_the_requested_number_until_pytest_reports_its_own() -> None:
    session = play(RunRequest("r", "some", tests=5))
    assert session.run is not None
    assert session.run.expected == 5
    play(*collect(A, B), session=session)
    assert session.run.expected == 2


# Processes, pools and fixtures


def test_a_crashed_worker_shows_what_it_died_in() -> None:
    crash = FinishedTest(A, "failed", 1, phases=(Phase("???", "failed"),))
    session = play(
        RunRequest("r", "all"),
        ("gw0", StartedTest(A, 1)),
        WorkerDown("gw0", True, "crashed"),
        ("gw0", crash),
        WorkerUp("gw1"),
        RunFinish(1),
    )
    assert session.workers["gw0"].running == A
    assert (session.workers["gw0"].alive, session.workers["gw1"].alive) == (False, True)
    assert (item(session, A).outcome, item(session, A).state) == ("failed", ItemState.DONE)


def test_a_late_hello_does_not_revive_a_worker() -> None:
    session = play(RunRequest("r", "all"), WorkerDown("gw0", True), ("gw0", Hello(1, "", "r", 7, "worker")))
    assert not session.workers["gw0"].alive
    assert session.workers["gw0"].pid == 7


def test_a_crash_reported_before_the_workers_last_lines_keeps_both_attempts() -> None:
    crash = FinishedTest(A, "failed", 2, phases=(Phase("???", "failed"),))
    session = play(RunRequest("r", "all"), *[("gw0", event) for event in (crash, passed(A, outcome="rerun"))])
    play(("gw0", StartedTest(A, 2)), session=session)
    assert [record.attempt for record in (*item(session, A).earlier, crash)] == [1, 2]
    assert item(session, A).record == crash
    assert item(session, A).state is ItemState.DONE


def test_an_attempt_on_another_worker_counts_from_one_again() -> None:
    crash = FinishedTest(A, "rerun", 1, phases=(Phase("???", "rerun"),))
    session = play(RunRequest("r", "all"), ("gw0", crash), ("gw1", StartedTest(A, 1)), ("gw1", passed(A)))
    assert item(session, A).flaky


def test_memory_is_the_sum_of_live_processes() -> None:
    session = play(RunRequest("r", "all"), *[(w, Sample(50 * MB)) for w in ("gw0", "gw1")], WorkerDown("gw0"))
    assert session.memory[-1][1] == 100 * MB
    session.now_ns += 60 * MS
    assert tell(session, ("gw1", Sample(70 * MB))).samples
    assert [total for _, total in session.memory] == [100 * MB, 70 * MB]
    assert (session.workers["gw1"].first_rss_bytes, session.workers["gw1"].peak_rss_bytes) == (
        50 * MB,
        70 * MB,
    )


def test_memory_before_the_first_test_is_warm_up_and_what_follows_is_growth() -> None:
    def holding(nodeid: str, rss_mb: int, delta_mb: int) -> FinishedTest:
        return passed(nodeid)._replace(phases=(Phase("call", "passed", 1, 0, rss_mb * MB, delta_mb * MB),))

    session = play(RunRequest("r", "all"), Sample(30 * MB), Sample(50 * MB), holding(A, 58, 6))
    worker = session.workers[""]
    assert (worker.warm_up_bytes, worker.growth_bytes) == (22 * MB, 6 * MB)
    tell(session, holding(B, 61, 1))
    assert (worker.warm_up_bytes, worker.growth_bytes) == (22 * MB, 9 * MB)
    tell(session, Sample(99 * MB))
    assert worker.growth_bytes == 9 * MB
    hello = Hello(1, "", "r", 1, "single", start_rss_bytes=20 * MB)
    session = play(RunRequest("r", "all"), Sample(30 * MB), hello, holding(A, 58, 6))
    assert session.workers[""].warm_up_bytes == 32 * MB
    session = play(RunRequest("r", "all"), holding(A, 58, 6))
    assert (session.workers[""].warm_up_bytes, session.workers[""].growth_bytes) == (0, 6 * MB)


def test_drift_belongs_to_the_process() -> None:
    record = passed(A)._replace(drift_bytes=3 * MB, peak_rss_bytes=80 * MB)
    session = play(RunRequest("r", "all"), record, passed(B)._replace(drift_bytes=MB))
    assert (session.workers[""].drift_bytes, session.workers[""].peak_rss_bytes) == (4 * MB, 80 * MB)


def test_a_pool_remembers_its_peaks() -> None:
    samples = [Sample(pools=(PoolSample("shop", "asyncpg", n, 0, 5, 5, n // 5),)) for n in (1, 5, 2)]
    pool = play(RunRequest("r", "all"), *samples).pools["", 0, "shop"]
    assert (pool.latest.in_use, pool.peak_in_use, pool.peak_waiting) == (2, 5, 1)
    assert [in_use for _, in_use, _ in pool.history] == [1, 5, 2]


@pytest.mark.parametrize(
    "teardown",
    [
        FinishedTest(
            B, "passed", fixtures=(FixtureUse("pool", "module", 0, 0, 3, cached=True, first_user=A),)
        ),
        FinishedTest(B, "passed", fixtures=(FixtureUse("pool", "module", 0, 0, 3, first_user=A),)),
        FixtureLate("pool", "module", 3, A),
    ],
    ids=["by its last user", "by another", "after all"],
)
def test_set_up_and_teardown_of_a_shared_fixture_are_combined(teardown: Event) -> None:
    setup = FinishedTest(A, "passed", fixtures=(FixtureUse("pool", "module", 8, 7),))
    session = play(RunRequest("r", "all"), setup, teardown)
    shared = session.shared_fixtures["pool", "module", A, ""]
    assert shared.use == FixtureUse("pool", "module", 8, 7, 3)
    assert shared.tests == (1 if isinstance(teardown, FixtureLate) else 2)


def test_the_work_of_a_shared_fixture_is_summed_up() -> None:
    slow = Statement("SELECT 1", 1, 2)
    setup = FixtureUse("db", "session", 8, 7, cpu_ns=5, rss_delta_bytes=3 * MB)
    setup = setup._replace(db=(PoolUse("asyncpg", "shop", 1, 4, 4, peak=2, queries=1, slowest=(slow,)),))
    late = FixtureLate("db", "session", 3, A, cpu_ns=2, rss_delta_bytes=-MB)
    late = late._replace(db=(PoolUse("asyncpg", "shop", 1, 6, 6, peak=1, queries=2, slowest=(slow,)),))
    session = play(RunRequest("r", "all"), FinishedTest(A, "passed", fixtures=(setup,)), late)
    use = session.shared_fixtures["db", "session", A, ""].use
    assert (use.setup_ns, use.teardown_ns, use.cpu_ns, use.rss_delta_bytes) == (8, 3, 7, 2 * MB)
    both = PoolUse("asyncpg", "shop", 2, 10, 6, peak=2, queries=3, slowest=(Statement("SELECT 1", 2, 4),))
    assert use.db == (both,)


def test_a_shared_fixture_counts_the_tests_of_its_run() -> None:
    cached = (FixtureUse("db", "session", cached=True, first_user=A),)
    first = FinishedTest(A, "passed", fixtures=(FixtureUse("db", "session", 8, 7),))
    again = FinishedTest(B, "rerun", fixtures=cached, attempt=1)
    session = play(RunRequest("r", "all"), first, again, again._replace(outcome="passed", attempt=2))
    (shared,) = session.shared_fixtures.values()
    assert (shared.run, shared.tests, shared.use.self_ns) == (1, 2, 7)
    play(RunRequest("s", "some"), first, session=session)
    (shared,) = session.shared_fixtures.values()
    assert (shared.run, shared.tests, shared.use.self_ns) == (2, 1, 7)


def test_fixtures_of_one_name_in_two_places_are_two() -> None:
    uses = [FixtureUse("db", "session", ms, ms, baseid=base) for ms, base in ((8, ""), (3, "tests"))]
    session = play(RunRequest("r", "all"), FinishedTest(A, "passed", fixtures=tuple(uses)))
    assert [shared.use for shared in session.shared_fixtures.values()] == uses


def test_shared_fixtures_are_deleted_with_the_test_that_set_them_up() -> None:
    setup = FinishedTest(A, "passed", fixtures=(FixtureUse("pool", "session", 8, 7),))
    session = play(RunRequest("r", "all"), setup, *collect(A, B), RunFinish(0))
    play(*whole(B), session=session)
    assert session.shared_fixtures == {}
