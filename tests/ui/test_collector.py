"""Garbage is collected, even during runs, but never while keys are being pressed."""

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest
from support import streams

from tdd_monitor.ui.app import MonitorApp
from tdd_monitor.ui.frames.pace import Collector

MakeApp = Callable[..., MonitorApp]


class Cycle:
    """Garbage that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector() -> Iterator[Collector]:
    before = gc.get_threshold()
    collector = Collector(min_interval_s=2.0, idle_s=1.5, max_delay_s=60.0)
    collector.start()
    yield collector
    collector.stop()
    assert gc.get_threshold() == before


def old_garbage() -> "weakref.ref[Cycle]":
    """A reference cycle that became garbage only after surviving the young generations."""
    cycle = Cycle()
    gc.collect(1)
    gc.collect(1)
    return weakref.ref(cycle)


def test_a_long_run_leaves_no_garbage_behind(collector: Collector) -> None:
    left: list[weakref.ref[Cycle]] = []
    for second in range(300):
        if second % 10 == 0:
            left.append(old_garbage())
        collector.tick(running=True, now_s=100.0 + second)
    assert sum(found() is not None for found in left) < 15
    for second in range(300, 400):
        collector.tick(running=False, now_s=100.0 + second)
    assert not any(found() is not None for found in left)


def test_collections_take_one_hundredth_of_the_time(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(
        "tdd_monitor.ui.frames.pace.time.perf_counter", lambda: next(clock) * 0.5
    )  # 0.5 s each
    done: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: done.append(1))
    for tenth in range(36_000):
        collector.tick(running=True, now_s=100.0 + tenth / 10)
    assert 60 <= len(done) <= 72


def test_keys_delay_collections_but_not_forever(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: done.append(1))
    for tenth in range(500):
        collector.pressed(100.0 + tenth / 10)
        collector.tick(running=True, now_s=100.0 + tenth / 10)
    assert not done
    for tenth in range(500, 1100):
        collector.pressed(100.0 + tenth / 10)
        collector.tick(running=True, now_s=100.0 + tenth / 10)
    assert len(done) == 1
    collector.tick(running=True, now_s=220.0)
    assert len(done) == 2


def test_there_is_no_collection_while_idle(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: done.append(1))
    collector.tick(running=True, now_s=100.0)
    for second in range(600):
        collector.tick(running=False, now_s=101.0 + second)
    assert len(done) == 2  # during the run, and once after it


@pytest.mark.asyncio
async def test_frames_of_a_run_leave_no_objects(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("tdd_monitor.ui.app.time.perf_counter", lambda: clock[0])
    app = make_app(streams.shop(stop_after=20))
    async with app.run_test(size=(120, 40)) as pilot:
        counts = []
        for _ in range(4):
            for _ in range(10):
                clock[0] += 2.5
                app.repaint()
                app._frame()
                await pilot.pause()
            clock[0] += 70
            app._frame()
            counts.append(len(gc.get_objects()) + gc.get_freeze_count())
    assert counts[-1] - counts[1] < 300, counts
