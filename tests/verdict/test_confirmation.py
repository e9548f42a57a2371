"""When repeated measurements confirm a suspicion, and when they do not."""

import itertools
import math
from collections.abc import Mapping

import pytest
from support.history import MS

from tdd_monitor.history.rows import Figures
from tdd_monitor.verdict import confirmation
from tdd_monitor.verdict.confirmation import FEW_ROUNDS, MANY_ROUNDS, decide, plan, rank_test
from tdd_monitor.verdict.regressions import Judgement, State, Verdict

SLOW, CONTROL = "a.py::slow", "a.py::control"
EARLIER = tuple(20.0 + number / 10 for number in range(10))


def figures(wall_ms: float) -> Figures:
    return Figures(int(wall_ms * MS), int(wall_ms * MS), 0)


def suspected(earlier: tuple[float, ...] = EARLIER, metric: str = "test_duration_ms") -> Judgement:
    verdict = Verdict(SLOW, metric, State.SUSPECTED, 20.5, 44.0, "stands out", earlier)
    states = {SLOW: State.SUSPECTED, CONTROL: State.OK}
    return Judgement(1.0, states, (verdict,), {CONTROL: figures(20)})


def decided(*rounds: Mapping[str, Figures], judgement: Judgement | None = None) -> Judgement:
    judgement = judgement or suspected()
    planned = plan(judgement)
    assert planned is not None and len(rounds) == planned.rounds
    return decide(judgement, planned, rounds)


def both(slow_ms: float, control_ms: float = 20.0) -> dict[str, Figures]:
    return {SLOW: figures(slow_ms), CONTROL: figures(control_ms)}


@pytest.mark.parametrize("metric", ["test_duration_ms", "cpu_ms"])
def test_slower_in_every_round_is_a_regression(metric: str) -> None:
    judgement = decided(*[both(43 + n) for n in range(FEW_ROUNDS)], judgement=suspected(metric=metric))
    (verdict,) = judgement.verdicts
    assert (verdict.state, verdict.after) == (State.REGRESSED, 45)
    assert verdict.evidence == "5 repetitions against 10 earlier runs, p = 0.0003"
    assert judgement.states == {SLOW: State.REGRESSED, CONTROL: State.OK}


def test_as_fast_as_before_clears_the_test() -> None:
    judgement = decided(*[both(21)] * FEW_ROUNDS)
    assert judgement.verdicts == ()
    assert judgement.states[SLOW] is State.OK


def test_a_machine_that_is_slow_in_all_rounds_slows_the_control_too() -> None:
    assert decided(*[both(44, control_ms=42)] * FEW_ROUNDS).states[SLOW] is State.OK


def test_slower_without_significance_stays_suspected() -> None:
    earlier = (*EARLIER[:6], 50.0, 60.0, 70.0, 80.0)
    judgement = decided(*[both(44)] * FEW_ROUNDS, judgement=suspected(earlier))
    assert judgement.states[SLOW] is State.SUSPECTED


def test_a_test_that_cannot_be_repeated_stays_suspected() -> None:
    judgement = decided(both(44), *[{CONTROL: figures(20)}] * (FEW_ROUNDS - 1))
    (verdict,) = judgement.verdicts
    assert (verdict.state, verdict.evidence) == (
        State.SUSPECTED,
        "not confirmed: it passed in 1 of 5 repetitions",
    )


def test_few_earlier_runs_need_more_rounds() -> None:
    judgement = suspected(EARLIER[:5])
    assert decided(*[both(44)] * MANY_ROUNDS, judgement=judgement).states[SLOW] is State.REGRESSED


def test_counts_need_no_confirmation() -> None:
    verdict = Verdict(SLOW, "queries", State.REGRESSED, 3, 4, "exact")
    assert plan(Judgement(None, {SLOW: State.REGRESSED}, (verdict,))) is None


def test_the_other_verdicts_of_a_test_remain() -> None:
    more = Verdict(SLOW, "queries", State.REGRESSED, 3, 4, "exact")
    judgement = suspected()
    judgement = Judgement(1.0, judgement.states, (more, *judgement.verdicts), judgement.controls)
    result = decided(*[both(21)] * FEW_ROUNDS, judgement=judgement)
    assert result.verdicts == (more,) and result.states[SLOW] is State.REGRESSED


def test_the_rank_test_counts_all_orders() -> None:
    for not_greater, expected in ((0, 1), (1, 2), (2, 4), (3, 7)):
        earlier = list(range(1, 11))
        new = [*[11.0] * 4, 10.5 - not_greater]
        assert rank_test(new, earlier) == pytest.approx(expected / math.comb(15, 5))
    everything = sum(
        confirmation._arrangements(3, 4, pairs)
        for pairs in itertools.takewhile(lambda n: n <= 12, itertools.count())
    )
    assert everything == math.comb(7, 3)
