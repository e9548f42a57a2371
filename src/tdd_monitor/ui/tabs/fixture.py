"""The cost of one fixture, with every test that used it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tdd_monitor import figures
from tdd_monitor.protocol.events import FixtureUse
from tdd_monitor.session import pools
from tdd_monitor.session.model import Session
from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import BLANK, Row, Target, row, text_row

from .queries import pool_rows

SHOWN = 500


@dataclass(frozen=True, slots=True)
class FixtureCost:
    """A fixture of one name and scope, with the tests that used it, the most expensive first.

    CPU time, memory and database use are known only for shared fixtures (`lives`).
    """

    name: str
    scope: str
    uses: tuple[tuple[str, FixtureUse], ...]  # node id and its use
    late_teardown_ns: int = 0
    lives: tuple[FixtureUse, ...] = ()

    @property
    def setups(self) -> list[FixtureUse]:
        """The uses that set it up."""
        return [use for _nodeid, use in self.uses if not use.cached]


def cost(session: Session, key: str) -> FixtureCost:
    """Gather the cost of a fixture from all records; `key` is "scope:name"."""
    scope, _colon, name = key.partition(":")
    uses = [
        (item.nodeid, use)
        for item in session.items.values()
        if item.record is not None
        for use in item.record.fixtures
        if use.name == name and use.scope == scope
    ]
    uses.sort(key=lambda entry: -(entry[1].self_ns + entry[1].teardown_ns))
    seen = sum(use.teardown_ns for _nodeid, use in uses)
    lives = tuple(
        shared.use
        for shared in session.shared_fixtures.values()
        if (shared.use.name, shared.use.scope) == (name, scope)
    )
    late_ns = max(0, sum(life.teardown_ns for life in lives) - seen)
    return FixtureCost(name, scope, tuple(uses), late_ns, lives)


def rows(found: FixtureCost, width: int) -> Iterator[Row]:
    """The totals, then the tests."""
    setups = found.setups
    own = sum(use.self_ns for use in setups)
    teardown = sum(use.teardown_ns for _nodeid, use in found.uses) + found.late_teardown_ns
    base = next((use.baseid for _nodeid, use in found.uses if use.baseid), "")
    yield row(
        (f"{format.visible(found.name)}  ", "strong"),
        (f"{format.visible(found.scope)} scope  ", "shared" if found.scope != "function" else "fixture"),
        (format.visible(base), "dim"),
    )
    yield BLANK
    yield _figure("set up", figures.plural(len(setups), "time"), f"{figures.nanoseconds(own)} in total")
    if setups:
        longest = max(use.self_ns for use in setups)
        note = f"{figures.nanoseconds(own / len(setups))} each, {figures.nanoseconds(longest)} at most"
        yield _figure("", "", note)
    yield _figure("torn down", "", f"{figures.nanoseconds(teardown)} in total")
    used = sum(1 for _nodeid, use in found.uses if not use.unused)
    yield _figure("used by", figures.plural(used, "test"), "")
    yield from _work(found, width)
    yield BLANK
    yield row(
        (format.fit("setup", 10, right=True) + format.fit("teardown", 11, right=True) + "  test", "head")
    )
    for nodeid, use in found.uses[:SHOWN]:
        yield row(
            (_time(use.self_ns, use.cached), "text" if not use.cached else "idle"),
            (_time(use.teardown_ns, not use.teardown_ns) + "   ", "text" if use.teardown_ns else "idle"),
            (format.name(nodeid, width - 24), "text"),
            target=Target("test", nodeid),
        )
    if len(found.uses) > SHOWN:
        yield text_row(f"… and {len(found.uses) - SHOWN:,} more", "dim")


def _work(found: FixtureCost, width: int) -> Iterator[Row]:
    """CPU time, memory and database use; for function scope these count towards the test."""
    if not found.lives:
        return
    cpu_ns = sum(life.cpu_ns for life in found.lives)
    yield _figure("CPU time", "", f"{figures.nanoseconds(cpu_ns)} in total")
    added = sum(life.rss_delta_bytes for life in found.lives)
    yield _figure("memory", "", f"{figures.size(added, signed=True)} in total")
    for use in pools.together(*(life.db for life in found.lives)):
        yield BLANK
        yield from pool_rows(use, width)


def _time(value_ns: int, absent: bool) -> str:
    return format.fit("·" if absent else figures.nanoseconds(value_ns), 10, right=True)


def _figure(name: str, value: str, note: str) -> Row:
    return row((format.fit(f"  {name}", 14), "text"), (format.fit(value, 14), "strong"), (note, "dim"))
