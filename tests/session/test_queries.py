"""Filters, order, percentiles, distribution and remaining time."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.lines import UNHURRIED

from tdd_monitor import figures
from tdd_monitor.protocol.events import FinishedTest, FixtureUse, Phase, PoolUse
from tdd_monitor.session import queries
from tdd_monitor.session.model import Item, ItemState, Run, RunState, Session, SharedFixture, Worker

MS = 1_000_000


def item(index: int, state: ItemState = ItemState.DONE, **changes: object) -> Item:
    made = Item(f"a.py::t{index}", index, state=state)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def ran(
    index: int, setup: int = 0, call: int = 0, teardown: int = 0, memory: int = 0, queried: int = 0
) -> Item:
    phases = (
        Phase("setup", "passed", setup),
        Phase("call", "passed", call, 0, 0, memory),
        Phase("teardown", "passed", teardown),
    )
    record = FinishedTest(f"a.py::t{index}", "passed", 1, 0, phases, db=(PoolUse("pg", queries=queried),))
    return item(index, outcome="passed", record=record, own_ns=setup + call + teardown)


def session_of(*items: Item, run: Run | None = None) -> Session:
    return Session({item.nodeid: item for item in items}, [run] if run else [])


# Filter


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("", True),
        ("   ", True),
        ("orders", True),
        ("ORDERS", False),
        ("Orders", True),
        ("TestOrders", True),
        ("testorders", True),
        ("orders total", True),
        ("orders missing", False),
        ("!orders", False),
        ("!missing", True),
        ("!ORDERS", True),
        ("!TestOrders", False),
        ("orders !total", False),
        ("orders !refund", True),
        ("!", True),
        ("[ü]", True),
        ("Ü", False),
        ("!!x", True),
    ],
)
def test_a_pattern_is_words_that_must_or_must_not_be_there(pattern: str, wanted: bool) -> None:
    assert queries.matches("tests/test_orders.py::TestOrders::test_total[ü]", pattern) is wanted


@UNHURRIED
@given(st.text(max_size=20), st.text(st.characters(exclude_categories=["Zs", "Cc"]), min_size=1, max_size=5))
def test_a_word_and_its_negation_never_agree(nodeid: str, word: str) -> None:
    if len(word.split()) == 1 and word != "!" and not word.startswith("!"):
        assert queries.matches(nodeid, word) is not queries.matches(nodeid, "!" + word)


# Order


@pytest.mark.parametrize("sort", ["duration", "setup", "call", "teardown", "memory", "queries"])
def test_the_most_expensive_come_first_and_tests_that_never_ran_last(sort: str) -> None:
    figure = {"duration": "call"}.get(sort, {"queries": "queried"}.get(sort, sort))
    items = [ran(n, **{figure: value}) for n, value in enumerate((5, 0, 9, 5))]
    session = session_of(item(4, ItemState.IDLE), *items, item(5, ItemState.PENDING))
    assert queries.visible(session, sort=sort) == [f"a.py::t{n}" for n in (2, 0, 3, 1, 4, 5)]


def test_freed_memory_sorts_before_tests_that_never_ran() -> None:
    session = session_of(item(0, ItemState.IDLE), ran(1, memory=-4096), ran(2, memory=10))
    assert queries.visible(session, sort="memory") == ["a.py::t2", "a.py::t1", "a.py::t0"]


def test_status_puts_what_needs_attention_first() -> None:
    words = ("passed", "skipped", "xfailed", "error", "lost", "xpassed", "failed")
    items = [item(n, outcome=word) for n, word in enumerate(words)]
    session = session_of(*items, item(7, ItemState.RUNNING, outcome="passed"), item(8, ItemState.IDLE))
    ordered = [session.items[nodeid] for nodeid in queries.visible(session, sort="status")]
    assert [i.state.value if i.state is not ItemState.DONE else i.outcome for i in ordered] == [
        "running",
        "lost",
        "error",
        "failed",
        "xpassed",
        "passed",
        "xfailed",
        "skipped",
        "idle",
    ]


@UNHURRIED
@given(st.permutations(range(6)), st.sampled_from(sorted(queries.SORT_KEYS)), st.booleans())
def test_order_does_not_depend_on_the_order_of_arrival(order: list[int], sort: str, reverse: bool) -> None:
    made = [ran(n, call=n % 2) if n % 3 else item(n, ItemState.IDLE) for n in range(6)]
    shuffled = session_of(*[made[n] for n in order])
    straight = queries.visible(session_of(*made), sort=sort, reverse=reverse)
    assert queries.visible(shuffled, sort=sort, reverse=reverse) == straight


def test_a_filter_and_a_condition_both_narrow() -> None:
    session = session_of(*[ran(n, call=n) for n in range(12)])
    assert queries.visible(session, "t1", keep=lambda i: i.own_ns > 1) == ["a.py::t10", "a.py::t11"]


def test_only_known_node_ids_come_back_in_order() -> None:
    assert queries.known(session_of(ran(0), ran(1)), ["a.py::t1", "gone", "a.py::t0"]) == [
        "a.py::t0",
        "a.py::t1",
    ]


def test_the_top_has_only_what_is_above_zero() -> None:
    session = session_of(*[ran(n, call=value) for n, value in enumerate((0, 3, 8, 3))], item(9))
    found = queries.top(session, lambda record: record.phases[1].wall_ns, 2)
    assert [i.nodeid for i in found] == ["a.py::t2", "a.py::t1"]
    assert len(queries.top(session, lambda record: record.phases[1].wall_ns, 9)) == 3


# Distribution


@UNHURRIED
@given(st.lists(st.integers(0, 99), min_size=1, max_size=300), st.integers(0, 100))
@example(list(range(100)), 7)  # 0.07 * 100 is 7.000000000000001
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(
    values: list[int], percent: int
) -> None:
    ordered = sorted(values)
    needed = Fraction(percent, 100) * len(values)
    expected = next(value for value in ordered if sum(other <= value for other in values) >= needed)
    assert figures.percentile(ordered, percent / 100) == expected


def test_a_percentile_of_nothing_is_unknown() -> None:
    assert math.isnan(figures.percentile([], 0.5))


@UNHURRIED
@given(st.lists(st.integers(0, 6_000 * MS), max_size=40))
def test_every_duration_is_in_its_bucket(own_ns: list[int]) -> None:
    found = queries.distribution(own_ns)
    edges = (0, *queries.BUCKET_EDGES_MS, math.inf)
    expected = tuple(sum(low * MS <= value < high * MS for value in own_ns) for low, high in pairwise(edges))
    assert found.buckets == expected
    assert found.count == len(own_ns)


@pytest.mark.parametrize("edge", queries.BUCKET_EDGES_MS)
def test_a_duration_on_an_edge_is_above_it(edge: int) -> None:
    bucket = queries.BUCKET_EDGES_MS.index(edge)
    assert queries.distribution([edge * MS]).buckets[bucket + 1] == 1
    assert queries.distribution([edge * MS - 1]).buckets[bucket] == 1


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [("passed", 1), ("failed", 1), ("error", 1), ("xfailed", 1), ("skipped", 0), ("lost", 0), ("", 0)],
)
def test_durations_are_of_tests_that_ran(outcome: str, counted: int) -> None:
    made = ran(0, call=7 * MS)
    made.outcome = outcome
    if outcome == "lost":
        made.record = None
    found = queries.durations(session_of(made))
    assert found.count == counted
    assert math.isnan(found.max_ms) is (not counted)
    assert math.isnan(found.p50_ms) is (not counted)


# Remaining time


def run(done: int = 0, expected: int = 4, started_ns: int = MS, state: RunState = RunState.RUNNING) -> Run:
    return Run(1, "r", "all", "", 0, state=state, expected=expected, done=done, started_ns=started_ns)


WAITING = item(8, ItemState.PENDING)


@pytest.mark.parametrize(
    "session",
    [
        Session(),
        session_of(WAITING, run=run(state=RunState.FINISHED, done=2)),
        session_of(WAITING, run=run(expected=0, done=2)),
        session_of(ran(1), run=run(started_ns=0, state=RunState.STARTING)),
        session_of(WAITING, run=run(started_ns=0, state=RunState.COLLECTING)),
        session_of(WAITING, run=run()),
    ],
    ids=["no run", "over", "nothing expected", "asked for", "collecting", "first test runs"],
)
def test_the_remaining_time_is_unknown(session: Session) -> None:
    assert queries.eta_s(session, 10 * MS) is None


def test_unknown_tests_take_the_mean_of_this_run() -> None:
    session = session_of(WAITING, item(9, ItemState.RUNNING), run=run(done=2, started_ns=MS))
    assert queries.eta_s(session, 2001 * MS) == pytest.approx(2.0)


def test_known_tests_take_as_long_as_before_and_workers_share_them() -> None:
    waiting = [ran(n, call=600 * MS) for n in range(4)]
    for made in waiting:
        made.state = ItemState.PENDING
    session = session_of(*waiting, run=run())
    assert queries.eta_s(session, 2 * MS) == pytest.approx(2.4)
    for id, alive in (("gw0", True), ("gw1", True), ("gw2", False)):
        session.workers[id] = Worker(id, "worker", alive=alive)
    assert queries.eta_s(session, 2 * MS) == pytest.approx(1.2)


def test_a_shared_fixture_costs_while_its_first_user_waits() -> None:
    first = ran(0, call=100 * MS)
    first.state = ItemState.PENDING
    session = session_of(first, run=run())
    use = FixtureUse("pool", "session", 0, 800 * MS, 100 * MS)
    session.shared_fixtures["pool", "session", first.nodeid, ""] = SharedFixture(use, 1, 1)
    assert queries.eta_s(session, 2 * MS) == pytest.approx(1.0)
    first.state = ItemState.RUNNING
    assert queries.eta_s(session, 2 * MS) == pytest.approx(0.1)


def test_no_time_remains_without_pending_tests() -> None:
    assert queries.eta_s(session_of(ran(0), run=run(done=1)), 5 * MS) == 0


@UNHURRIED
@given(st.integers(-(10**18), 10**18), st.integers(-(10**18), 10**18), st.integers(0, 9))
def test_the_remaining_time_is_never_negative(wall_ns: int, now_ns: int, done: int) -> None:
    known = ran(0, call=wall_ns)
    known.state = ItemState.RUNNING
    left_s = queries.eta_s(session_of(known, WAITING, run=run(done=done)), now_ns)
    assert left_s is None or left_s >= 0
