"""A line stays under 1 MiB: texts are cut, with a note; identifiers never are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lines import UNHURRIED

from tdd_monitor.protocol.codec import MAX_LINE_BYTES, decode, encode, shorten
from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectError,
    Event,
    FinishedTest,
    FixtureUse,
    Hello,
    Line,
    Phase,
    PoolUse,
    RunLost,
    RunRequest,
    Section,
    StartedTest,
    Statement,
    Subtest,
    WarningRaised,
)

LONG = 3 * MAX_LINE_BYTES


def through(event: Event) -> Event:
    """The event as the receiver decodes it."""
    data = encode(Line(1, 1, "", event))
    assert len(data) <= MAX_LINE_BYTES
    line = decode(data)
    assert line is not None
    return line.event


@UNHURRIED
@given(st.text(min_size=1, max_size=300), st.integers(1, 300))
def test_a_shortened_text_keeps_head_and_tail_and_counts_the_rest(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= max(limit, 0) + 60
    assert len(short) <= len(text)
    if short != text:
        head, _, tail = short.partition("\n... [")
        cut = int(tail.split(" of ")[0].replace(",", ""))
        assert text.startswith(head)
        assert text.endswith(tail.partition("] ...\n")[2])
        assert cut == len(text) - limit


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (CollectError("a.py", "x" * LONG), "longrepr"),
        (CollectError("a.py", "\N{SNOWMAN}" * LONG), "longrepr"),
        (WarningRaised("x" * LONG), "message"),
        (RunLost(-9, "SIGKILL", "x" * LONG), "output"),
    ],
    ids=["ascii", "unicode", "warning", "output"],
)
def test_a_text_that_does_not_fit_says_how_much_was_cut(event: Event, field: str) -> None:
    text = getattr(through(event), field)
    assert f"of {LONG:,} characters cut]" in text
    assert len(text) > 10_000


def test_all_texts_of_a_record_are_cut_until_it_fits() -> None:
    sections = tuple(Section(f"Captured {n}", "o" * 60_000) for n in range(50))
    call = Phase("call", "failed", longrepr="e" * 60_000, sections=sections)
    arrived = through(FinishedTest("a.py::t", "failed", phases=(call,)))
    assert isinstance(arrived, FinishedTest)
    phase = arrived.phases[0]
    assert len(phase.sections) == 50
    texts = (phase.longrepr, *(section.text for section in phase.sections))
    assert all("characters cut]" in text for text in texts)


SUBTESTS = tuple(Subtest("failed", f"[{n}]", 1, "E" * 40) for n in range(40_000))
FIXTURES = tuple(FixtureUse(f"f{n}", "session") for n in range(30_000))
LEAKS = PoolUse("asyncpg", leaked_at=("app.py:1" * 9,) * 20_000)
STATEMENTS = PoolUse("asyncpg", slowest=(Statement("S" * 99, 1),) * 20_000)


@pytest.mark.parametrize(
    "record",
    [
        FinishedTest("a.py::t", "failed", subtests=SUBTESTS),
        FinishedTest("a.py::t", "failed", fixtures=FIXTURES),
        FinishedTest("a.py::t", "failed", db=(LEAKS,)),
        FinishedTest("a.py::t", "failed", db=(STATEMENTS,)),
    ],
    ids=["subtests", "fixtures", "leaks", "statements"],
)
def test_a_list_that_does_not_fit_is_cut_and_says_so(record: FinishedTest) -> None:
    arrived = through(record)
    assert isinstance(arrived, FinishedTest)
    assert (arrived.nodeid, arrived.outcome) == ("a.py::t", "failed")
    assert any("are left out" in words for words in arrived.unmeasured)


@pytest.mark.parametrize("size", [5_000, 200_000])
def test_node_ids_are_never_cut(size: int) -> None:
    nodeid = f"a.py::t[{'ü' * size}]".encode().decode("ascii", "backslashreplace")[:size]
    fixtures = (FixtureUse("f", "session", first_user=nodeid),)
    record = FinishedTest(nodeid, "failed", 1, 0, (Phase("call", "failed", longrepr="x" * LONG),), fixtures)
    arrived = through(record)
    assert isinstance(arrived, FinishedTest)
    assert (arrived.nodeid, arrived.fixtures[0].first_user) == (nodeid, nodeid)
    assert through(StartedTest(nodeid, 1)) == StartedTest(nodeid, 1)


def test_a_chunk_of_long_node_ids_loses_whole_tests_and_no_letters() -> None:
    tests = tuple(CollectedTest(f"a.py::t[{'x' * 5_000}{n}]", "a.py", n) for n in range(500))
    arrived = through(Collect(tests))
    assert isinstance(arrived, Collect)
    assert arrived.tests == tests[: len(arrived.tests)]
    assert len(arrived.tests) >= 32


def test_the_sender_is_never_cut() -> None:
    hello = Hello(1, "token" * 30, "run" * 30, 7, "worker", rootdir="/r" * 2_000)
    hello = hello._replace(unmeasured=("x" * 99,) * 20_000)
    arrived = through(hello)
    assert isinstance(arrived, Hello)
    assert arrived[:5] == hello[:5]
    assert arrived.rootdir == hello.rootdir
    assert any("are left out" in words for words in arrived.unmeasured)


def test_a_request_for_very_many_files_still_fits() -> None:
    files = tuple(f"tests/unit/test_module_with_a_long_name_{n:06d}.py" for n in range(40_000))
    arrived = through(RunRequest("r", "some", files=files))
    assert isinstance(arrived, RunRequest)
    assert set(arrived.files) < set(files)


def test_an_identifier_that_is_too_long_by_itself_is_the_senders_error() -> None:
    with pytest.raises(ValueError, match="cannot be cut"):
        encode(Line(1, 1, "", StartedTest("x" * LONG)))
