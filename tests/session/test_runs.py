"""What each line does to the current run."""

import pytest

from session.playing import A, B, collect, play, tell
from tdd_monitor.protocol.events import (
    CollectError,
    CollectSkip,
    Event,
    Hello,
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
    StartedTest,
    WarningRaised,
)
from tdd_monitor.session import queries
from tdd_monitor.session.model import RunState, Session


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
