"""JSON reports of made-up runs, for the tests of report formats."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectError,
    CollectSkip,
    FinishedTest,
    FixtureUse,
    Hello,
    Line,
    Phase,
    PoolUse,
    Section,
    Statement,
)
from tdd_monitor.protocol.marks import OwnThreshold
from tdd_monitor.reports.json import Surroundings, document
from tdd_monitor.verdict import Board
from tdd_monitor.verdict.regressions import Judgement, State, Verdict

from . import streams
from .streams import MS, Stream

# What a report must not pass on: to a terminal, XML, HTML, Markdown, a GitHub log, or UTF-8.
HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x9b2J \x00\x08 \u202egnp\u202c \ufffe </script><img src=x onerror=alert(1)> "
    "<!-- & ]]> | `code` ``` **bold** [link](http://evil) @user #1 ::error::owned\r\n::error::owned "
    "%0A $(id) ' \" \ud800 \udc80 \U0001f40d"
)


def document_of(
    lines: Iterable[Line], exitcode: int = 1, verdicts: Sequence[Verdict] = (), **around: Any
) -> dict[str, Any]:
    """The report of these lines, and of what regressed."""
    board = Board()
    for line in lines:
        board.apply(line)
    if verdicts:
        board.judgement = Judgement(1.0, {each.nodeid: each.state for each in verdicts}, tuple(verdicts))
    return document(board, exitcode, Surroundings(**{"directory": "/shop", **around}))


def dated(lines: Iterable[Line], wall_ns: int) -> Iterator[Line]:
    """The lines of a run whose processes read this time on the wall."""
    for line in lines:
        event = line.event
        yield line._replace(event=event._replace(wall_ns=wall_ns)) if isinstance(event, Hello) else line


def shop() -> dict[str, Any]:
    """The report of the shop suite: every outcome, and every kind of alert."""
    slower = Verdict(streams.SLOW_REPORT, "test_duration_ms", State.SUSPECTED, 600.0, 1240.0, "above 10 runs")
    more = Verdict(streams.N_PLUS_ONE, "queries", State.REGRESSED, 2.0, 61.0, "exact: the baseline is 2")
    return document_of(streams.shop(), verdicts=(slower, more))


def hostile(text: str = HOSTILE) -> dict[str, Any]:
    """The report of a failed test whose every text is `text`."""
    stream = Stream()
    stream.open("run-1", "all", "start")
    nodeid = f"tests/test_{text}.py::test_it[{text}]"
    own = OwnThreshold("test_duration_ms", 1.0, text)
    stream.emit(Collect((CollectedTest(nodeid, f"tests/test_{text}.py", 3, (text,), (own,)),)))
    stream.emit(CollectError(f"tests/{text}.py", f"E   {text}"))
    stream.emit(CollectSkip(f"tests/skip_{text}.py", f"Skipped: {text}"))
    statement = Statement(text, 50, MS)
    use = PoolUse(
        "asyncpg",
        text,
        1,
        30 * MS,
        30 * MS,
        1,
        1,
        1,
        (text,),
        50,
        MS,
        slowest=(statement,),
        repeated=(statement,),
    )
    phase = Phase("call", "failed", 300 * MS, MS, longrepr=f"E   {text}", sections=(Section(text, text),))
    fixture = FixtureUse(text, "function", 20 * MS, 20 * MS)
    stream.emit(
        FinishedTest(nodeid, "failed", 1, stream.now_ns, (phase,), (fixture,), db=(use,)), after_ms=400
    )
    stream.finish(1)
    more = Verdict(nodeid, "queries", State.REGRESSED, 2.0, 50.0, text)
    return document_of(stream.lines, verdicts=(more,), notices=(text,), output=(text,))
