"""Sessions that have received some events."""

from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectFinish,
    Event,
    FinishedTest,
    Line,
    Phase,
    RunFinish,
    RunRequest,
)
from tdd_monitor.session import reducer
from tdd_monitor.session.model import Delta, Item, Session

MS = 1_000_000
MB = 1 << 20


def play(*events: Event | tuple[str, Event], session: Session | None = None) -> Session:
    """A session after these events; a tuple names the worker that sent one."""
    session = session or Session()
    for event in events:
        tell(session, event)
    return session


def tell(session: Session, event: Event | tuple[str, Event]) -> Delta:
    worker, said = ("", event) if hasattr(event, "_fields") else event
    return reducer.apply(session, Line(session.now_ns, session.now_ns + MS, worker, said))  # type: ignore[arg-type]


def passed(nodeid: str, call_ms: float = 1, attempt: int = 1, outcome: str = "passed") -> FinishedTest:
    return FinishedTest(nodeid, outcome, attempt, phases=(Phase("call", outcome, int(call_ms * MS)),))


def collect(*nodeids: str) -> tuple[Event, Event]:
    return Collect(tuple(CollectedTest(n, n.partition("::")[0]) for n in nodeids)), CollectFinish(
        len(nodeids)
    )


def whole(*nodeids: str) -> tuple[Event, ...]:
    """A run of all tests, in which these pass."""
    return RunRequest("r", "all"), *collect(*nodeids), *map(passed, nodeids), RunFinish(0)


def item(session: Session, nodeid: str) -> Item:
    return session.items[nodeid]


A, B, C, D = "a.py::test_1", "a.py::test_2", "b.py::test_1", "sub/c.py::test_1"
