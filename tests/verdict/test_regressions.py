"""What counts as a regression, and what does not."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.history import MS

from tdd_monitor.history.rows import Figures, Result
from tdd_monitor.verdict import regressions
from tdd_monitor.verdict.regressions import Judgement, State

TESTS = [f"a.py::t{number}" for number in range(20)]
CHANGED = TESTS[0]
RUNS = 10


def figures(wall_ms: float = 20.0, queries: int | None = None) -> Figures:
    return Figures(int(wall_ms * MS), int(wall_ms * MS / 2), 0, queries)


def judged(
    latest: Mapping[str, Figures],
    runs: int = RUNS,
    accepted: Mapping[str, Figures] | None = None,
    earlier: Mapping[str, list[Figures]] | None = None,
    usual: Figures | None = None,
) -> Judgement:
    """Judge a run in which the tests that are not in `latest` are as in all `runs` before."""
    usual = usual or figures(queries=3)
    window = {nodeid: dict(enumerate((earlier or {}).get(nodeid, [usual] * runs))) for nodeid in TESTS}
    results = [Result(nodeid, "passed", 1, latest.get(nodeid, usual)) for nodeid in TESTS]
    return regressions.judge(results, window, accepted or {})


def found(judgement: Judgement) -> list[tuple[str, str, str]]:
    return [(each.nodeid, each.metric, each.state.value) for each in judgement.verdicts]


def test_without_changes_there_is_no_evidence_of_a_regression() -> None:
    judgement = judged({})
    assert judgement.verdicts == ()
    assert set(judgement.states.values()) == {State.OK}
    assert judgement.shift == pytest.approx(1.0)


def test_a_few_runs_only_teach() -> None:
    judgement = judged({CHANGED: figures(80, queries=9)}, runs=regressions.MIN_SAMPLES - 1)
    assert judgement.verdicts == ()
    assert set(judgement.states.values()) == {State.LEARNING}


def test_one_more_query_is_a_regression_at_once() -> None:
    judgement = judged({CHANGED: figures(queries=4)})
    assert found(judgement) == [(CHANGED, "queries", "regressed")]
    (verdict,) = judgement.verdicts
    assert (verdict.before, verdict.after, verdict.evidence) == (3, 4, "exact: the baseline is 3")
    assert judgement.states[CHANGED] is State.REGRESSED


def test_one_query_less_is_an_improvement() -> None:
    assert found(judged({CHANGED: figures(queries=2)})) == [(CHANGED, "queries", "improved")]


def test_a_count_that_varies_anyway_is_only_suspected() -> None:
    earlier = {CHANGED: [figures(queries=count) for count in (3, 4, 3, 3, 4, 3)]}
    assert judged({CHANGED: figures(queries=4)}, earlier=earlier).verdicts == ()
    assert found(judged({CHANGED: figures(queries=5)}, earlier=earlier)) == [
        (CHANGED, "queries", "suspected")
    ]


def test_queries_that_were_not_counted_are_not_compared() -> None:
    assert judged({CHANGED: figures(queries=None)}).verdicts == ()
    assert judged({CHANGED: figures(queries=7)}, usual=figures()).verdicts == ()


def test_a_test_that_takes_twice_as_long_is_suspected_once() -> None:
    judgement = judged({CHANGED: figures(40, queries=3)})
    assert found(judgement) == [(CHANGED, "test_duration_ms", "suspected")]
    assert judgement.verdicts[0].after == pytest.approx(40)


@given(st.floats(0.2, 8.0))
def test_a_slow_machine_slows_all_tests_and_no_test_is_blamed(factor: float) -> None:
    judgement = judged({nodeid: figures(20 * factor, queries=3) for nodeid in TESTS})
    assert judgement.verdicts == ()
    assert judgement.shift == pytest.approx(factor, rel=0.01)
    assert judgement.whole_run_slow is (factor > regressions.SLOW_RUN)


def test_a_slow_earlier_run_is_no_excuse() -> None:
    earlier = {nodeid: [figures(20, queries=3)] * 8 + [figures(90, queries=3)] * 2 for nodeid in TESTS}
    assert found(judged({CHANGED: figures(40, queries=3)}, earlier=earlier)) == [
        (CHANGED, "test_duration_ms", "suspected")
    ]


def test_one_slow_outlier_does_not_hide_a_change() -> None:
    earlier = {CHANGED: [figures(20, queries=3)] * 9 + [figures(90, queries=3)]}
    assert found(judged({CHANGED: figures(40, queries=3)}, earlier=earlier)) == [
        (CHANGED, "test_duration_ms", "suspected")
    ]


def test_small_changes_of_short_tests_are_not_worth_a_line() -> None:
    assert judged({CHANGED: figures(5, queries=3)}, usual=figures(1, queries=3)).verdicts == ()


@pytest.mark.parametrize(("outcome", "attempts"), [("failed", 1), ("passed", 2), ("skipped", 1)])
def test_only_passed_first_attempts_are_judged(outcome: str, attempts: int) -> None:
    window = {CHANGED: {run: figures(queries=3) for run in range(RUNS)}}
    results = [Result(CHANGED, outcome, attempts, figures(90, queries=9))]
    assert regressions.judge(results, window, {}) == Judgement(None, {}, ())


def test_more_queries_than_accepted_stay_a_regression() -> None:
    earlier = {CHANGED: [figures(queries=4)] * RUNS}
    judgement = judged({CHANGED: figures(queries=4)}, earlier=earlier, accepted={CHANGED: figures(queries=3)})
    assert found(judgement) == [(CHANGED, "queries", "regressed")]


def test_slow_drift_is_seen_against_the_accepted_baseline() -> None:
    accepted = {nodeid: figures(20, queries=3) for nodeid in TESTS}
    drifted = {CHANGED: [figures(20 + 2 * number, queries=3) for number in range(3, 3 + RUNS)]}
    judgement = judged({CHANGED: figures(40, queries=3)}, earlier=drifted, accepted=accepted)
    assert found(judgement) == [(CHANGED, "test_duration_ms", "suspected")]
    assert "drifted" in judgement.verdicts[0].evidence


def test_a_machine_that_became_slower_is_not_drift() -> None:
    accepted = {nodeid: figures(10, queries=3) for nodeid in TESTS}
    assert judged({}, accepted=accepted).verdicts == ()


def test_the_baseline_is_typical_for_durations_and_the_maximum_for_counts() -> None:
    window = [figures(wall, queries=queries) for wall, queries in ((10, 1), (20, 3), (90, None))]
    assert regressions.baseline(window) == figures(20, queries=3)


def test_the_first_baseline_sets_itself_from_a_few_runs() -> None:
    window = {
        CHANGED: dict(enumerate([figures(queries=3)] * regressions.MIN_SAMPLES)),
        TESTS[1]: {0: figures()},
    }
    assert regressions.to_accept(window, {}) == [(CHANGED, figures(queries=3))]


def test_lower_counts_become_the_baseline_once_they_last_and_durations_never() -> None:
    accepted = {CHANGED: figures(20, queries=3)}
    counts = [3, 2, 2, 2, 2]
    for expected in ([], [(CHANGED, figures(20, queries=2))]):
        window = {CHANGED: {run: figures(10, queries=count) for run, count in enumerate(counts)}}
        assert regressions.to_accept(window, accepted) == expected
        counts.append(2)
