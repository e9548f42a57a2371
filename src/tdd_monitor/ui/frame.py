"""When to compute what: how often something that costs O(tests) may run, and how to hold a display still."""

import copy
import gc
from collections import Counter, deque
from dataclasses import replace

from tdd_monitor.session.model import Run
from tdd_monitor.verdict import Board

FRAMES_PER_SECOND = 20


class Pace:
    """Tells when a computation may run again, so that it takes at most `share` of the time."""

    def __init__(self, least_s: float, share: float = 0.1) -> None:
        self.least_s = least_s
        self.share = share
        self._next_s = 0.0

    def due(self, now_s: float) -> bool:
        """True when enough time has passed since it ran, measured by what that cost."""
        return now_s >= self._next_s

    def ran(self, started_s: float, ended_s: float) -> None:
        """Take note of a run."""
        self._next_s = ended_s + max(self.least_s, (ended_s - started_s) / self.share)


class Collector:
    """Keeps full garbage collections out of runs.

    One stops everything for 0.5 s when there are a hundred thousand records. They are no garbage,
    so while a run goes what has come in is put out of the collector's sight; after it, when nothing
    moves, one full collection finds what there is.
    """

    def __init__(self, every_s: float = 1.0, idle_s: float = 3.0) -> None:
        self._every_s, self._idle_s = every_s, idle_s
        self._last_s = 0.0
        self._owed = False

    def tick(self, running: bool, now_s: float) -> None:
        """Call once a frame."""
        if running and now_s - self._last_s >= self._every_s:
            gc.freeze()
            self._last_s, self._owed = now_s, True
        elif not running and self._owed and now_s - self._last_s >= self._idle_s:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._owed = False


def _frozen_run(run: Run) -> Run:
    return replace(
        run,
        counts=Counter(run.counts),
        collect_errors=list(run.collect_errors),
        collect_skips=list(run.collect_skips),
    )


def freeze(board: Board) -> Board:
    """A copy of what `board` shows now, which later lines do not change."""
    session = board.session
    frozen = copy.copy(board)
    frozen.of_test = dict(board.of_test)
    frozen.session = replace(
        session,
        items={nodeid: copy.copy(item) for nodeid, item in session.items.items()},
        runs=[*session.runs[:-1], *(_frozen_run(run) for run in session.runs[-1:])],
        workers={key: copy.copy(worker) for key, worker in session.workers.items()},
        pools={key: replace(pool, history=deque(pool.history)) for key, pool in session.pools.items()},
        servers={name: copy.copy(server) for name, server in session.servers.items()},
        shared_fixtures={key: copy.copy(shared) for key, shared in session.shared_fixtures.items()},
        memory=deque(session.memory),
        warnings=deque(session.warnings),
        counts=Counter(session.counts),
    )
    return frozen
