from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import streams

from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectFinish,
    FinishedTest,
    Line,
    Phase,
    RunRequest,
    StartedTest,
)
from tdd_monitor.session import queries
from tdd_monitor.session.model import FAILURES, Delta, ItemState
from tdd_monitor.ui.frames import order as module
from tdd_monitor.ui.frames.order import VIEWS, Listing
from tdd_monitor.verdict import Board

NAMES = [f"tests/test_{number % 3}.py::test_{number}" for number in range(12)]


def check(board: Board, listing: Listing) -> None:
    """The same tests as a rebuild finds, in an order that the sort key allows."""
    key, items = queries.SORT_KEYS[listing.sort], board.session.items
    fresh = expected(board, listing)
    assert sorted(listing.nodeids) == sorted(fresh)
    assert [key(items[nodeid]) for nodeid in listing.nodeids] == [key(items[nodeid]) for nodeid in fresh]


def expected(board: Board, listing: Listing) -> list[str]:
    keeps = {
        "all": None,
        "failed": lambda item: item.outcome in FAILURES,
        "over": lambda item: item.nodeid in board.of_test,
        "running": lambda item: item.state is ItemState.RUNNING,
        "slowest": lambda item: item.record is not None and item.outcome != "skipped",
    }
    return queries.visible(board.session, listing.pattern, keeps[listing.view], listing.sort, listing.reverse)


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    """Runs of some of the names, with the results in any order."""
    sequence = count(1)
    found: list[Line] = []

    def emit(event: object) -> None:
        number = next(sequence)
        found.append(Line(number, number * 1000, "", event))  # type: ignore[arg-type]

    for number in range(draw(st.integers(1, 3))):
        chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
        scope = draw(st.sampled_from(["all", "some"]))
        emit(RunRequest(f"run-{number}", scope))
        emit(Collect(tuple(CollectedTest(name) for name in chosen)))
        emit(CollectFinish(len(chosen)))
        for name in draw(st.permutations(chosen)):
            emit(StartedTest(name, 1))
            outcome = draw(st.sampled_from(["passed", "failed", "skipped"]))
            wall_ns = draw(st.integers(0, 300)) * 1_000_000
            emit(FinishedTest(name, outcome, 1, 0, (Phase("call", outcome, wall_ns),)))
    return found


@settings(max_examples=50, deadline=None)
@given(lines(), st.data())
def test_incremental_updates_equal_a_rebuild(stream: list[Line], data: st.DataObject) -> None:
    board, listing = Board(), Listing()
    for line in stream:
        listing.note(board.apply(line))
        what = data.draw(st.sampled_from(["nothing", "nothing", "look", "step", "choose"]))
        if what == "choose":
            listing.choose(
                view=data.draw(st.sampled_from(list(VIEWS))),
                pattern=data.draw(st.sampled_from(["", "test_1", "!test_1", "TEST"])),
                sort=data.draw(st.sampled_from(list(queries.SORT_KEYS))),
                reverse=data.draw(st.booleans()),
            )
        elif what == "step":
            listing.step(board, 0.0)
        elif what == "look":
            listing.refresh(board)
            check(board, listing)
    listing.refresh(board)
    check(board, listing)


def test_a_pass_in_slices_ends_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 3)
    board, listing = Board(), Listing()
    listing.choose(sort="duration")
    for line in streams.shop():
        listing.note(board.apply(line))
        listing.step(board, 0.0)
    steps = 1
    while not listing.step(board, 0.0) or listing.stale:
        steps += 1
    assert steps > 5
    check(board, listing)


def test_results_keep_the_collection_order() -> None:
    board, listing = Board(), Listing()
    for line in streams.shop(stop_after=3):
        listing.note(board.apply(line))
    listing.refresh(board)
    listing.note(Delta(items={streams.FIRST}))
    assert not listing.stale


def test_slowest_sorts_by_duration_until_another_view_is_chosen() -> None:
    listing = Listing()
    listing.choose(view="slowest")
    assert listing.sort == "duration"
    listing.choose(view="all")
    assert listing.sort == "order"
