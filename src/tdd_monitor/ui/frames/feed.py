"""Between the stream and the frames: merges deltas, and limits how often O(tests) work is done."""

import time
from collections.abc import Callable

from tdd_monitor.runner.control import Control
from tdd_monitor.session import queries
from tdd_monitor.session.model import Delta
from tdd_monitor.verdict import Alert

from .overview import Sweep
from .pace import Pace, freeze
from .view import View

SWEEP_BUDGET_S = 0.004  # of a frame of 50 ms


class Feed:
    """Turns the control's deltas into views. While paused, it keeps the last view; data still arrive."""

    def __init__(self, control: Control, clock: Callable[[], float] = time.perf_counter) -> None:
        self.control = control
        self.paused = False
        self._clock = clock
        self._board = control.board
        self._held_ns = 0
        self._pending = Delta()
        self._sweep = Sweep(clock)
        self._sweep_pace = Pace(0.2)
        self._sweep_cost_s = 0.0  # of the pass in progress
        self._alert_pace = Pace(0.2, share=0.04)
        self._alerts: tuple[Alert, ...] = ()
        self._alerts_stale = self._sweep_stale = True
        self._elapsed = (0, 0)  # run number and the elapsed nanoseconds last shown
        control.subscribe(self.receive)

    def receive(self, delta: Delta) -> None:
        """Record what a line changed, for the next frame."""
        self._pending.merge(delta)

    def tick(self, whole: bool = False) -> tuple[View, Delta] | None:
        """The next frame's view and what changed since the last one; None if nothing changed.

        `whole` computes everything now, whatever it costs.
        """
        if self.paused and not whole:
            return None
        run = self._board.session.run
        moving = run is not None and run.active
        stale = self._alerts_stale or self._sweep_stale
        if not (self._pending or moving or stale or whole):
            return None
        delta = Delta() if self.paused else self._pending
        if not self.paused:
            self._pending = Delta()
        self._alerts_stale |= bool(delta)
        self._sweep_stale |= bool(delta.items) or delta.rows or delta.run
        self._work_out(whole)
        return self.view(), delta

    def _work_out(self, whole: bool) -> None:
        started = self._clock()
        if self._alerts_stale and (whole or self._alert_pace.due(started)):
            self._alerts = tuple(self._board.alerts())
            self._alerts_stale = False
            self._alert_pace.ran(started, self._clock())
            if not whole:
                return  # one expensive computation per frame
        if whole or (self._sweep_stale and self._sweep_pace.due(started)):
            if whole:
                self._sweep.restart()
            budget = float("inf") if whole else SWEEP_BUDGET_S
            finished = self._sweep.step(self._board.session, self._now_ns(), budget)
            ended = self._clock()
            self._sweep_cost_s += ended - started
            if finished:
                self._sweep_stale = False
                self._sweep_pace.ran(ended - self._sweep_cost_s, ended)
                self._sweep_cost_s = 0.0

    def _now_ns(self) -> int:
        return self._held_ns if self.paused else self.control.now_ns()

    def _elapsed_ns(self, now_ns: int) -> int:
        """Never decreases: the clock may have passed a run's last line before that line was read."""
        session = self._board.session
        number = session.run.number if session.run is not None else 0
        shown_ns = self._elapsed[1] if self._elapsed[0] == number else 0
        self._elapsed = (number, max(shown_ns, queries.elapsed_ns(session, now_ns)))
        return self._elapsed[1]

    def view(self) -> View:
        """The current view."""
        control = self.control
        now_ns = self._now_ns()
        return View(
            self._board,
            now_ns,
            self._sweep.latest,
            self._alerts,
            control.title,
            tuple(control.notices),
            control.output,
            control.can_run,
            control.watching,
            self.paused,
            self._elapsed_ns(now_ns),
        )

    def toggle_pause(self) -> None:
        """Freeze the display, or show what has arrived meanwhile."""
        if not self.paused:
            self._held_ns = self.control.now_ns()
            self._board = freeze(self.control.board)
        else:
            self._board = self.control.board
            self._pending.rows = True
        self.paused = not self.paused
        self._sweep.restart()
        self._alerts_stale = self._sweep_stale = True
