"""Times every fixture: its setup, excluding the fixtures it requests, and its teardown.

A fixture's arguments are set up before its `pytest_fixture_setup` runs; fixtures requested dynamically
run inside it and are subtracted by means of a stack. A finalizer added after the setup runs before the
fixture's own and so marks the start of its teardown.

Shared fixtures outlive the test they are set up for, so their CPU time, memory and statements are also
counted separately (see `SharedWork`).
"""

import contextlib
import functools
import time
from typing import Any, Callable, Dict, Generator, Iterator, List, NamedTuple, Sequence, Tuple

import pytest

from tdd_monitor.plugin.billing import SharedWork
from tdd_monitor.plugin.guard import Guard, guarded
from tdd_monitor.plugin.pytest_internals import PARAMETER, PytestInternals
from tdd_monitor.protocol.events import FixtureLate, FixtureUse, PoolUse

_NO_ATTEMPT = 0


class _SharedWorkDefinition(NamedTuple):
    """Stands in for the definition of a fixture in shared work that no fixture does."""

    argname: str
    scope: str = "session"
    baseid: str = ""


class Use:
    """One setup and teardown of a fixture, or the part of it within one attempt."""

    __slots__ = (
        "attempt",
        "baseid",
        "cached",
        "cpu_ns",
        "db",
        "first_user",
        "marked_ns",
        "name",
        "rss_delta_bytes",
        "scope",
        "self_ns",
        "setup_ns",
        "shared",
        "start_ns",
        "teardown_ns",
        "teardown_start_ns",
        "unused",
    )

    def __init__(self, fixturedef: Any, attempt: int, first_user: str) -> None:
        self.name: str = fixturedef.argname
        self.scope: str = fixturedef.scope
        self.baseid: str = fixturedef.baseid
        self.attempt = attempt
        self.first_user = first_user
        self.shared = self.scope != "function"
        self.cached = self.unused = False
        self.start_ns = self.setup_ns = self.self_ns = 0
        self.teardown_start_ns = self.teardown_ns = 0
        self.marked_ns = self.cpu_ns = self.rss_delta_bytes = 0
        self.db: Tuple[PoolUse, ...] = ()

    def mark_teardown(self, now: Callable[[], int] = time.perf_counter_ns) -> None:
        """Finalizer that marks the start of teardown."""
        self.marked_ns = now()

    def record(self) -> FixtureUse:
        """The record sent to the monitor."""
        return FixtureUse(
            self.name,
            self.scope,
            self.setup_ns,
            self.self_ns,
            self.teardown_ns,
            self.start_ns,
            self.teardown_start_ns,
            self.cached,
            self.first_user,
            self.baseid,
            self.unused,
            self.cpu_ns,
            self.rss_delta_bytes,
            self.db,
        )


class FixtureClock:
    """Pytest plugin that tracks every live fixture."""

    def __init__(
        self,
        guard: Guard,
        emit: Callable[[Any], None],
        work: SharedWork,
        collect_db: Callable[[Any], Tuple[PoolUse, ...]],
        internals: PytestInternals,
    ) -> None:
        self.guard = guard
        self.work = work
        self._emit = emit
        self._collect_db = collect_db
        self._internals = internals
        self._attempt = _NO_ATTEMPT
        self._attempts = 0
        self._nodeid = ""
        self._origin_ns = 0
        self._uses: List[Use] = []
        self._live: Dict[Any, Use] = {}
        self._teardowns: Dict[Any, Use] = {}
        self._named: Dict[str, Use] = {}
        self._children_ns: List[int] = []
        self.worked = False  # whether a fixture was set up or torn down since this was last cleared

    def begin_attempt(self, nodeid: str, origin_ns: int) -> None:
        """Start attributing fixture use to this attempt; offsets count from `origin_ns`."""
        self._attempts += 1
        self._attempt = self._attempts
        self._nodeid, self._origin_ns = nodeid, origin_ns
        self.work.begin_attempt()
        if self._children_ns:
            self._children_ns.clear()

    def record_cached(self, item: Any) -> None:
        """Record the fixtures that the item reused; called before teardown."""
        for fixturedef in self._internals.used_fixtures(item):
            use = self._live.get(fixturedef)
            if use is not None and use.attempt != self._attempt:
                self._record_reuse(fixturedef, use)

    def _record_reuse(self, fixturedef: Any, use: Use, unused: bool = False) -> Use:
        for seen in self._uses:
            if (
                seen.cached
                and seen.name == use.name
                and seen.baseid == use.baseid
                and seen.first_user == use.first_user
            ):
                return seen
        again = Use(fixturedef, self._attempt, use.first_user)
        again.cached, again.unused = True, unused
        self._uses.append(again)
        return again

    def end_attempt(self) -> Sequence[Use]:
        """Return the fixture uses of the attempt, in order of their start."""
        self._attempt = _NO_ATTEMPT
        if not self._uses:
            return ()
        uses, self._uses = self._uses, []
        if self.work.done:
            for use in uses:
                if use.shared and (use.teardown_ns or not use.cached):
                    use.db = self._collect_db(use)
        return uses

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: Any, now: Callable[[], int] = time.perf_counter_ns
    ) -> Generator[None, object, object]:
        """Time the setup."""
        if getattr(fixturedef.func, "__name__", "") == PARAMETER:
            return (yield)
        use = self._begin(fixturedef)
        started_ns = now()
        try:
            return (yield)
        finally:
            self._end(fixturedef, use, started_ns, now() - started_ns)

    @guarded
    def _begin(self, fixturedef: Any) -> Use:
        self.worked = True
        use = Use(fixturedef, self._attempt, self._nodeid)
        self._children_ns.append(0)
        if self._attempt:
            self._uses.append(use)
        if use.shared:
            self.work.begin(use)
        return use

    @guarded
    def _end(self, fixturedef: Any, use: Use, started_ns: int, setup_ns: int) -> None:
        if use.shared:
            self.work.end(use)
        children_ns = self._children_ns.pop() if self._children_ns else 0
        if self._children_ns:
            self._children_ns[-1] += setup_ns
        use.setup_ns, use.self_ns = setup_ns, setup_ns - children_ns
        use.start_ns = started_ns - self._origin_ns
        self._live[fixturedef] = use
        if use.shared:
            fixturedef.addfinalizer(functools.partial(self._begin_teardown, fixturedef, use))
        else:
            fixturedef.addfinalizer(use.mark_teardown)

    @guarded
    def _begin_teardown(self, fixturedef: Any, use: Use) -> None:
        """Called within the attempt that set it up, within a later one, or after the last."""
        teardown = use
        if not self._attempt:
            teardown = Use(fixturedef, self._attempt, use.first_user)
        elif use.attempt != self._attempt:
            teardown = self._record_reuse(fixturedef, use, unused=True)
        self._teardowns[fixturedef] = teardown
        self.work.begin(teardown)
        teardown.mark_teardown()

    @contextlib.contextmanager
    def shared_work(self, name: str, now: Callable[[], int] = time.perf_counter_ns) -> Iterator[None]:
        """Record work done once for all tests, as the setup of a session fixture of that name."""
        use = self._begin_named(name)
        started_ns = now()
        try:
            yield
        finally:
            self._end_named(use, started_ns, now() - started_ns)

    @guarded
    def _begin_named(self, name: str) -> Use:
        self.worked = True
        use = self._named.get(name)
        if use is None or use.attempt != self._attempt:
            use = self._named[name] = Use(_SharedWorkDefinition(name), self._attempt, self._nodeid)
            if self._attempt:
                self._uses.append(use)
        self.work.begin(use)
        return use

    @guarded
    def _end_named(self, use: Use, started_ns: int, took_ns: int) -> None:
        self.work.end(use)
        if self._children_ns:
            self._children_ns[-1] += took_ns
        use.start_ns = use.start_ns or started_ns - self._origin_ns
        use.setup_ns += took_ns
        use.self_ns += took_ns

    @guarded
    def use_shared_work(self, name: str) -> None:
        """Record that the running test uses the result of that work."""
        use = self._named.get(name)
        if use is not None and use.attempt != self._attempt:
            self._record_reuse(_SharedWorkDefinition(name), use)

    @pytest.hookimpl(trylast=True)
    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        """End of a teardown; also called for parameters, and by pytest 7.4 when nothing is torn down."""
        use = self._live.get(fixturedef)
        if use is not None:
            use = self._teardowns.pop(fixturedef, use)
            if use.marked_ns:
                self._end_teardown(fixturedef, use)

    @guarded
    def _end_teardown(self, fixturedef: Any, use: Use, now: Callable[[], int] = time.perf_counter_ns) -> None:
        self.worked = True
        del self._live[fixturedef]
        use.teardown_ns = now() - use.marked_ns
        use.teardown_start_ns = use.marked_ns - self._origin_ns
        if self._children_ns:
            self._children_ns[-1] += use.teardown_ns  # of a fixture set up again for another parameter
        if use.shared:
            self.work.end(use)
        if not self._attempt:
            self._emit(self._late(use))

    def _late(self, use: Use) -> FixtureLate:
        db = self._collect_db(use)
        return FixtureLate(
            use.name,
            use.scope,
            use.teardown_ns,
            use.first_user,
            use.baseid,
            use.cpu_ns,
            use.rss_delta_bytes,
            db,
        )
