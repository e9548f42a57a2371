"""When views are computed: frames, pauses, and the pace of O(tests) work."""

from collections import deque
from collections.abc import Iterable

import pytest
from support import streams

from tdd_monitor.protocol.events import Line, RunRequest, StartedTest
from tdd_monitor.session import metrics, queries
from tdd_monitor.ui.frames import overview as module
from tdd_monitor.ui.frames.feed import Feed
from tdd_monitor.ui.frames.overview import Sweep
from tdd_monitor.ui.frames.pace import Pace, freeze
from tdd_monitor.verdict import Board


class Source:
    """A minimal control."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.board = Board()
        self.title, self.can_run, self.watching = "tests/", True, False
        self.output: deque[str] = deque()
        self.notices: deque[str] = deque()
        self._feed: Feed | None = None
        self.play(lines)

    def subscribe(self, listener: object) -> None:
        self._listener = listener

    def play(self, lines: Iterable[Line]) -> None:
        for line in lines:
            delta = self.board.apply(line)
            if hasattr(self, "_listener"):
                self._listener(delta)  # type: ignore[operator]

    def now_ns(self) -> int:
        return self.board.session.now_ns


class Clock:
    """A clock in seconds that advances on demand, and a little on every reading."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 1000.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def make(lines: Iterable[Line] = (), clock: Clock | None = None) -> tuple[Source, Feed, Clock]:
    source, clock = Source(lines), clock or Clock()
    return source, Feed(source, clock), clock  # type: ignore[arg-type]


def test_a_frame_reports_what_changed_since_the_last_one() -> None:
    source, feed, _clock = make()
    source.play(streams.shop(stop_after=2))
    frame = feed.tick()
    assert frame is not None
    view, delta = frame
    assert {streams.SHOP[0].nodeid, streams.SHOP[2].nodeid} <= delta.items
    assert view.board is source.board and view.title == "tests/"
    frame = feed.tick()
    assert frame is not None and not frame[1].items


def test_elapsed_time_never_falls_at_the_end_of_a_run() -> None:
    lines = streams.shop()
    source, feed, clock = make(lines[:-1])
    ahead_ns = 400_000_000  # the last line is held back until pytest has exited
    source.now_ns = lambda: source.board.session.now_ns + ahead_ns  # type: ignore[method-assign]
    shown = feed.view().elapsed_ns
    source.play(lines[-1:])
    run = source.board.session.run
    assert run is not None and run.finished_ns - run.requested_ns < shown
    assert feed.view().elapsed_ns == shown
    clock.now += 60
    assert feed.view().elapsed_ns == shown
    source.play([Line(1, source.now_ns() + 1, "", RunRequest("again", "all"))])
    assert feed.view().elapsed_ns <= ahead_ns


def test_there_is_no_frame_when_nothing_changed_and_nothing_runs() -> None:
    source, feed, clock = make(streams.shop())
    for _ in range(10):
        clock.now += 1
        feed.tick()
    assert feed.tick() is None
    source.play([Line(1, source.now_ns() + 1, "", StartedTest(streams.FIRST, 1))])
    assert feed.tick() is not None


def test_a_paused_feed_keeps_its_view_while_data_arrive() -> None:
    source, feed, _clock = make(streams.shop(stop_after=5))
    frame = feed.tick(whole=True)
    assert frame is not None
    feed.toggle_pause()
    paused = feed.tick(whole=True)
    assert paused is not None and paused[0].paused
    before = dict(paused[0].board.session.counts), paused[0].now_ns
    source.play(streams.shop()[len(streams.shop(stop_after=5)) :])
    assert feed.tick() is None
    still = feed.tick(whole=True)
    assert still is not None
    view = still[0]
    assert (dict(view.board.session.counts), view.now_ns) == before
    assert view.board.session.items[streams.LEAKY].record is None
    assert source.board.session.items[streams.LEAKY].record is not None
    feed.toggle_pause()
    again = feed.tick(whole=True)
    assert again is not None
    assert again[0].board is source.board and not again[0].paused and again[1].rows


@pytest.mark.parametrize("lines", [streams.shop(), streams.rerun_failed()])
def test_a_frozen_board_does_not_change(lines: list[Line]) -> None:
    board = Board()
    half = len(lines) // 2
    for line in lines[:half]:
        board.apply(line)
    frozen = freeze(board)
    before = repr((frozen.session, frozen.of_test))
    for line in lines[half:]:
        board.apply(line)
    assert repr((frozen.session, frozen.of_test)) == before


def test_alerts_and_statistics_are_computed_at_a_limited_rate() -> None:
    source, feed, clock = make()
    source.play(streams.shop(stop_after=20))
    feed.tick()
    feed.tick()
    first = feed.view()
    assert first.overview.durations.count == 20
    source.play(streams.shop()[len(streams.shop(stop_after=20)) :])
    feed.tick()
    assert feed.view().overview is first.overview and feed.view().alerts is first.alerts
    for _ in range(4):
        clock.now += 0.5
        feed.tick()
    assert (
        feed.view().overview.durations == queries.durations(source.board.session) != first.overview.durations
    )
    assert len(feed.view().alerts) == len(source.board.alerts())


def test_a_pace_leaves_most_of_the_time_to_others() -> None:
    pace = Pace(min_interval_s=0.1, share=0.1)
    assert pace.due(0.0)
    pace.ran(10.0, 10.2)
    assert not pace.due(12.1) and pace.due(12.3)
    pace.ran(20.0, 20.001)
    assert not pace.due(20.05) and pace.due(20.11)


@pytest.mark.parametrize("slice_", [1, 7, 500])
def test_a_sweep_in_slices_equals_a_single_pass(slice_: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", slice_)
    board = Board()
    for line in streams.shop(stop_after=36):
        board.apply(line)
    session, sweep = board.session, Sweep(Clock(step=1.0))
    steps = 1
    while not sweep.step(session, session.now_ns, 0.5):
        steps += 1
    assert steps >= 40 / slice_
    found = sweep.latest
    assert found.durations == queries.durations(session)
    assert found.eta_s == queries.eta_s(session, session.now_ns)
    slowest = queries.top(session, metrics.own_ns, 5)
    assert [nodeid for nodeid, _own in found.slowest[:5]] == [item.nodeid for item in slowest]
    grown = queries.top(session, metrics.memory_delta_bytes, 5)
    assert [nodeid for nodeid, _delta in found.memory] == [item.nodeid for item in grown]
