"""What is written by hand for speed reads as what the codec would have written."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.test_stream import Pipe
from tdd_monitor.plugin import wire
from tdd_monitor.plugin.attempt import Attempt, Reading, of_attempt
from tdd_monitor.plugin.fixtures import Use
from tdd_monitor.plugin.stream import Stream
from tdd_monitor.protocol.codec import decode
from tdd_monitor.protocol.events import FinishedTest, StartedTest

# Lone surrogates are escaped on arrival, by either way; they are left out to compare with what was sent.
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
deltas = st.integers(-(1 << 40), 1 << 40)
workers = st.sampled_from(["", "gw0", "%s"])
numbers = st.integers(0, 1 << 62)


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    attempt = Attempt(draw(texts), draw(st.integers(1, 9)), 0)
    for when in ("setup", "call", "teardown"):
        reading = Reading(when, False, draw(numbers), draw(numbers), draw(numbers), draw(deltas))
        attempt.readings.append(reading)
        attempt.reports.append(pytest.TestReport(attempt.nodeid, ("", 0, ""), {}, "passed", None, when))
    return attempt


@st.composite
def uses(draw: st.DrawFn) -> Use:
    definition = SimpleNamespace(argname=draw(texts), scope=draw(texts), baseid=draw(texts))
    use = Use(definition, 1, draw(texts))
    use.cached = draw(st.booleans())
    for name in ("start_ns", "setup_ns", "self_ns", "teardown_ns", "teardown_start_ns"):
        setattr(use, name, draw(numbers))
    return use


@given(
    attempts(),
    st.lists(uses(), max_size=3),
    st.integers(-(1 << 40), 1 << 40),
    st.sampled_from(["", "gw0", "%s"]),
    st.sampled_from([(), ("psycopg2",), ("psycopg2", "sqlite3")]),
)
def test_a_passed_test_reads_as_its_record(
    attempt: Attempt, fixtures: list[Use], drift: int, worker: str, unwatched: tuple[str, ...]
) -> None:
    assert wire.is_plain(attempt)
    pipe = Pipe()
    stream = Stream(pipe, worker)
    stream.emit_body("test_start", wire.started(attempt), attempt.started_ns)
    stream.emit_body("test", wire.passed(attempt, fixtures, drift, 5, unwatched), 77)
    stream.flush()
    phases = attempt.phases()
    record = FinishedTest(
        attempt.nodeid,
        of_attempt(phases, ()),
        attempt.number,
        attempt.started_ns,
        phases,
        tuple(use.record() for use in fixtures),
        drift_bytes=drift,
        peak_rss_bytes=5,
        unwatched=unwatched,
    )
    assert pipe.events == [StartedTest(attempt.nodeid, attempt.number), record]
    lines = [decode(raw) for raw in pipe.taken.splitlines()]
    assert [(line.seq, line.t_ns, line.worker) for line in lines if line is not None] == [
        (1, attempt.started_ns, worker),
        (2, 77, worker),
    ]


@pytest.mark.parametrize("change", ["fewer", "failed", "spoke", "xfail", "metric", "order"])
def test_everything_else_goes_through_the_codec(change: str) -> None:
    attempt = Attempt("test", 1, 0)
    for when in ("setup", "call", "teardown"):
        attempt.readings.append(Reading(when, False, 1, 1, 1, 1))
        attempt.reports.append(pytest.TestReport("test", ("", 0, ""), {}, "passed", None, when))
    report = attempt.reports[1]
    if change == "fewer":
        attempt.reports.pop()
    elif change == "failed":
        report.outcome = "failed"
    elif change == "spoke":
        report.sections.append(("Captured stdout call", "x"))
    elif change == "xfail":
        report.wasxfail = ""
    elif change == "metric":
        attempt.metrics["x"] = 1.0
    else:
        attempt.reports.reverse()
    assert not wire.is_plain(attempt)
