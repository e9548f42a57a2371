"""Which tests are removed from a session because they no longer exist."""

import pytest

from session.playing import A, B, C, D, collect, passed, play, whole
from tdd_monitor.protocol.events import (
    CollectError,
    CollectFinish,
    Event,
    RunCancel,
    RunFinish,
    RunLost,
    RunRequest,
    StartedTest,
)


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
