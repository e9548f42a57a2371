"""What is said of one test over its runs."""

import pytest
from support.history import HERE, MS, past

from tdd_monitor.history.store import Past
from tdd_monitor.verdict import trends


def changes(history: list[Past]) -> list[tuple[str, float, float, str]]:
    (trend,) = trends.of_test(history)
    return [(each.metric, each.before, each.after, each.run.uuid) for each in trend.changes]


def test_one_more_query_is_a_change_at_once() -> None:
    history = [past(number, queries=2 if number < 3 else 3) for number in range(4)]
    assert changes(history) == [("queries", 2, 3, "run-3")]


def test_a_count_that_keeps_changing_is_no_exact_one() -> None:
    assert changes([past(number, queries=2 + number % 2) for number in range(9)]) == []


def test_a_slower_test_is_dated_to_its_first_slow_run() -> None:
    history = [past(number, wall_ns=(20 if number < 8 else 40) * MS) for number in range(16)]
    assert changes(history) == [("test_duration_ms", 20, 40, "run-8")]


def test_small_changes_of_duration_are_not_worth_a_line() -> None:
    assert changes([past(number, wall_ns=(20 if number < 8 else 24) * MS) for number in range(16)]) == []
    assert changes([past(number, wall_ns=(2 if number < 8 else 4) * MS) for number in range(16)]) == []


def test_failures_and_reruns_are_not_compared() -> None:
    slow = [past(8 + n, wall_ns=99 * MS, outcome="failed") for n in range(8)]
    slow += [past(20 + n, wall_ns=99 * MS, attempts=2) for n in range(8)]
    assert changes([past(number, wall_ns=20 * MS) for number in range(8)] + slow) == []


def test_environments_are_judged_apart_and_the_latest_comes_first() -> None:
    elsewhere = past(1, queries=9)
    elsewhere = elsewhere._replace(run=elsewhere.run._replace(environment=HERE._replace(workers=8)))
    first, second = trends.of_test([past(0), elsewhere, past(2)])
    assert (first.environment, len(first.past), first.changes) == (HERE, 2, ())
    assert second.past == (elsewhere,)


@pytest.mark.parametrize(
    ("history", "flaky"),
    [
        ([past(0), past(1, outcome="failed")], ("c0",)),
        ([past(0), past(1, outcome="error")], ("c0",)),
        ([past(0, attempts=3)], ("c0",)),
        ([past(0), past(1)], ()),
        ([past(0), past(1, "c1", outcome="failed")], ()),
        ([past(0), past(1, dirty=True, outcome="failed")], ()),
        ([past(0, ""), past(1, "", outcome="failed")], ()),
        ([past(0), past(1, outcome="skipped")], ()),
    ],
)
def test_flaky_is_passed_and_failed_on_one_commit(history: list[Past], flaky: tuple[str, ...]) -> None:
    assert trends.flaky_commits(history) == flaky
