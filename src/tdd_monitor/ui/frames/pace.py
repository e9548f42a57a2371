"""Scheduling of expensive work: limits for O(tests) computations, garbage collection, frozen boards."""

import copy
import gc
import time
from collections import Counter, deque
from dataclasses import replace

from tdd_monitor.session.model import Run
from tdd_monitor.verdict import Board

FRAMES_PER_SECOND = 20


class Pace:
    """Decides when a computation may run again, so that it takes at most `share` of the time."""

    def __init__(self, min_interval_s: float, share: float = 0.1) -> None:
        self.min_interval_s = min_interval_s
        self.share = share
        self._next_s = 0.0

    def due(self, now_s: float) -> bool:
        """True if enough time has passed since the last run, given what that cost."""
        return now_s >= self._next_s

    def ran(self, started_s: float, ended_s: float) -> None:
        """Record a run."""
        self._next_s = ended_s + max(self.min_interval_s, (ended_s - started_s) / self.share)


class Collector:
    """Schedules full garbage collections.

    One takes 0.5 s with a hundred thousand tests, and the interpreter might start it in the middle of a key
    press. So the interpreter collects only young objects, with a higher threshold than by default (by then
    a frame's garbage is dead), and this class collects the old ones: for at most `SHARE` of the time, and
    not while keys are being pressed. Nothing is frozen after the start: frozen garbage is never freed.
    """

    SHARE = 0.01
    YOUNG = (10_000, 10, 1_000_000)

    def __init__(self, min_interval_s: float = 2.0, idle_s: float = 1.5, max_delay_s: float = 60.0) -> None:
        self._pace = Pace(min_interval_s, self.SHARE)
        self._idle_s, self._max_delay_s = idle_s, max_delay_s
        self._pressed_s = 0.0
        self._due_s: float | None = None  # the time since which one is due
        self._pending = False
        self._before: tuple[int, int, int] | None = None

    def start(self) -> None:
        """Take over from the interpreter. Imported modules stay for good: freeze them."""
        self._before = gc.get_threshold()
        gc.set_threshold(*self.YOUNG)
        gc.freeze()
        gc.enable()

    def stop(self) -> None:
        """Restore the interpreter's own collection."""
        if self._before is not None:
            gc.set_threshold(*self._before)
            gc.unfreeze()
            self._before = None

    def pressed(self, now_s: float) -> None:
        """Record a key press: another one is likely to follow."""
        self._pressed_s = now_s

    def tick(self, running: bool, now_s: float) -> None:
        """Collect if due. Call once per frame."""
        self._pending |= running
        if not (self._pending and self._before is not None and self._pace.due(now_s)):
            self._due_s = None
            return
        self._due_s = now_s if self._due_s is None else self._due_s
        busy = now_s - self._pressed_s < self._idle_s
        if busy and now_s - self._due_s < self._max_delay_s:
            return
        started_s = time.perf_counter()
        gc.collect()
        self._pace.ran(now_s, now_s + time.perf_counter() - started_s)
        self._pending = running


def _frozen_run(run: Run) -> Run:
    return replace(
        run,
        counts=Counter(run.counts),
        collect_errors=list(run.collect_errors),
        collect_skips=list(run.collect_skips),
    )


def freeze(board: Board) -> Board:
    """A copy of `board` that later lines do not change."""
    session = board.session
    frozen = copy.copy(board)
    frozen.of_test = dict(board.of_test)
    frozen.session = replace(
        session,
        items={nodeid: copy.copy(item) for nodeid, item in session.items.items()},
        runs=[*session.runs[:-1], *(_frozen_run(run) for run in session.runs[-1:])],
        workers={key: copy.deepcopy(worker) for key, worker in session.workers.items()},
        pools={key: replace(pool, history=deque(pool.history)) for key, pool in session.pools.items()},
        more_pools=dict(session.more_pools),
        servers={name: copy.copy(server) for name, server in session.servers.items()},
        shared_fixtures={key: copy.copy(shared) for key, shared in session.shared_fixtures.items()},
        memory=deque(session.memory),
        warnings=deque(session.warnings),
        counts=Counter(session.counts),
    )
    return frozen
