"""What each line does to processes, pools and shared fixtures."""

import pytest

from session.playing import MB, MS, A, B, collect, item, passed, play, tell, whole
from tdd_monitor.protocol.events import (
    Event,
    FinishedTest,
    FixtureLate,
    FixtureUse,
    Hello,
    Phase,
    PoolSample,
    PoolUse,
    RunFinish,
    RunRequest,
    Sample,
    StartedTest,
    Statement,
    WorkerDown,
    WorkerUp,
)
from tdd_monitor.session.model import ItemState


def test_a_crashed_worker_shows_the_test_that_it_was_running() -> None:
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
