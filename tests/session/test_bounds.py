"""A monitor that has been up for days uses no more memory than a new one."""

import tracemalloc

from session.playing import play
from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectError,
    CollectFinish,
    CollectSkip,
    FinishedTest,
    FixtureUse,
    Hello,
    Phase,
    RunFinish,
    RunLost,
    RunRequest,
    StartedTest,
    WorkerDown,
    WorkerUp,
)
from tdd_monitor.session.model import MAX_RUNS, MAX_WORKERS, Session

TEST = "tests/test_a.py::test"


def failing_run(session: Session, number: int) -> None:
    """A run whose collection fails or that is killed: both leave long texts behind."""
    run = f"run-{number}"
    play(RunRequest(run, "all", "saved test_b.py"), session=session)
    play(Hello(1, "token", run, number, "single", rootdir=f"/{number}" * 50), session=session)
    play(Collect((CollectedTest(TEST, "tests/test_a.py", 3),)), session=session)
    for file in range(10):
        play(CollectError(f"tests/test_{file}.py", f"{number} " + "E" * 5000), session=session)
        play(CollectSkip(f"tests/test_s{file}.py", f"{number} " + "s" * 500), session=session)
    play(CollectFinish(1), StartedTest(TEST, 1), session=session)
    if number % 2:
        play(RunLost(-9, "SIGKILL", f"{number} " + "o" * 5000), session=session)
    else:
        phase = Phase("call", "failed", number, 1, 1, 1, f"{number} " + "t" * 5000)
        play(FinishedTest(TEST, "failed", 1, number, (phase,)), RunFinish(1, {"failed": 1}), session=session)


def test_a_thousand_runs_hold_no_more_than_a_hundred() -> None:
    session = Session()
    tracemalloc.start()
    try:
        for number in range(1000):
            failing_run(session, number)
            if number == 199:
                before = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000
    assert len(session.runs) == MAX_RUNS
    assert session.run is not None and session.run.number == 1000


def test_an_old_run_keeps_its_figures_and_the_last_hello_is_known() -> None:
    session = Session()
    for number in (0, 1, 2):
        failing_run(session, number)
    play(RunRequest("run-3", "all"), session=session)
    figures = [(run.number, run.done, run.counts["error"]) for run in session.runs[:3]]
    assert figures == [(1, 1, 10), (2, 0, 10), (3, 1, 10)]
    assert [run.hello.run for run in session.runs if run.hello] == ["run-2"]
    assert not any(run.collect_errors or run.collect_skips or run.lost for run in session.runs)


def test_workers_that_crash_in_succession_are_counted_not_kept() -> None:
    session = Session()
    play(
        RunRequest("run", "all"),
        Hello(1, "token", "run", 1, "controller"),
        WorkerUp("first"),
        session=session,
    )
    for number in range(3 * MAX_WORKERS):
        play(WorkerUp(f"gw{number}"), WorkerDown(f"gw{number}", True, "crashed"), session=session)
    assert len(session.workers) == MAX_WORKERS
    assert session.forgotten_workers == session.forgotten_crashes == 2 * MAX_WORKERS + 2
    assert {"", "first", f"gw{3 * MAX_WORKERS - 1}"} <= session.workers.keys()
    play(RunRequest("next", "all"), session=session)
    assert session.forgotten_workers == session.forgotten_crashes == 0


def test_among_live_workers_the_oldest_is_forgotten() -> None:
    session = Session()
    play(*(WorkerUp(f"gw{number}") for number in range(MAX_WORKERS + 5)), session=session)
    assert "gw4" not in session.workers and "gw5" in session.workers
    assert (session.forgotten_workers, session.forgotten_crashes) == (5, 0)


def test_shared_fixtures_of_old_runs_are_forgotten() -> None:
    """In random order every run sets them up for another test."""
    session = Session()
    for number in range(50):
        nodeid = f"tests/test_a.py::test_{number}"
        use = FixtureUse("database", "session", 5, 5, first_user=nodeid)
        play(
            RunRequest(f"run-{number}", "all"),
            Hello(1, "token", f"run-{number}", 1, "single"),
            session=session,
        )
        play(FinishedTest(nodeid, "passed", 1, number + 1, fixtures=(use,)), RunFinish(0), session=session)
        play(RunRequest(f"again-{number}", "some"), RunFinish(0), session=session)
    users = [first_user for _name, _scope, first_user, _baseid in session.shared_fixtures]
    assert users == ["tests/test_a.py::test_48", "tests/test_a.py::test_49"]
