"""The content of header and banner: rows, without a screen."""

import pytest
from support import streams

from tdd_monitor.protocol.events import (
    LinesLost,
    RunCancel,
    RunFinish,
)
from tdd_monitor.ui.panels import banner, header
from ui.content import STREAMS, text, view_of


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "running",
            ["run 1", "start", "● running", "30/40", "75%", "✓ 25 passed", "! 1 error", "» 1 skipped"],
        ),
        ("shop", ["✗ failures", "40/40"]),
        ("again", ["run 2 failed", "1/3", "33%  "]),
        ("lost", ["† lost", "† 1 lost"]),
        ("errors", ["! collection errors", "! 2 error"]),
        ("nothing", ["Starting pytest"]),
    ],
)
def test_the_header_shows_the_state_of_the_run(name: str, said: list[str]) -> None:
    shown = text(header.lines(view_of(STREAMS[name]()), 160, 2))
    for words in said:
        assert words in shown


def test_the_header_counts_what_this_run_found() -> None:
    shown = text([header.lines(view_of(streams.rerun_failed()), 160, 3)[2]])
    assert shown.split() == ["✓", "1", "passed", "●", "1", "running"]


def test_the_header_says_when_it_is_paused_watching_or_a_recording() -> None:
    lines = streams.shop(stop_after=3)
    assert "‖ PAUSED" in text(header.lines(view_of(lines, paused=True), 120, 2))
    assert "watching" in text(header.lines(view_of(lines, watching=True), 120, 2))
    shown = text(header.lines(view_of(lines, watching=True, can_run=False), 120, 2))
    assert "recording" in shown and "watching" not in shown


def test_the_header_shows_collection_and_cancelling_and_an_eta() -> None:
    lines = streams.shop(stop_after=30)
    starting, collecting = lines[:1], lines[:3]
    assert "starting pytest" in text(header.lines(view_of(starting), 120, 2))
    assert "collecting … 40 tests so far" in text(header.lines(view_of(collecting), 120, 2))
    slow = streams.Stream()
    slow.open("r", "all", "")
    slow.collect(streams.collected(streams.SHOP))
    slow.test(streams.Script(streams.FIRST, call=2000))
    assert "ETA 1m" in text(header.lines(view_of(slow.lines), 120, 2))
    slow.emit(RunCancel("cancelled"))
    shown = text(header.lines(view_of(slow.lines), 120, 2))
    assert "■ cancelling" in shown and "x again to kill" in shown


@pytest.mark.parametrize(
    ("status", "word", "advice"),
    [
        (0, "✓ all passed", ""),
        (1, "! exit status 1", "although no test failed"),
        (2, "■ interrupted", "although no test failed"),
        (3, "! internal error", "Press o"),
        (4, "! usage error", "rejected its arguments"),
        (5, "no tests found", "Check the path"),
        (99, "! exit status 99", "although no test failed"),
    ],
)
def test_an_exit_status_has_a_name_and_advice(status: int, word: str, advice: str) -> None:
    view = view_of(streams.ended(status))
    assert word in text(header.lines(view, 120, 2))
    assert advice in text(banner.lines(view, 120))
    assert advice or not banner.lines(view, 120)


def test_the_banner_of_a_lost_run_names_signal_test_and_next_step() -> None:
    shown = text(banner.lines(view_of(streams.lost()), 200))
    for words in (
        "killed by SIGKILL",
        "test_report_over_ten_thousand_orders",
        "Run again: r this test",
        "a all",
        "Press o",
    ):
        assert words in shown
    recording = text(banner.lines(view_of(streams.lost(), can_run=False), 200))
    assert "Run again" not in recording


def test_a_run_that_is_incomplete_is_not_shown_as_green() -> None:
    lines = streams.all_passed()
    finish = lines.pop()
    assert isinstance(finish.event, RunFinish)
    counts = {"passed": finish.event.counts["passed"] + 1_200}
    events = (LinesLost(1_200, 2), RunFinish(0, counts))
    view = view_of([*lines, *(finish._replace(event=event) for event in events)])
    shown = text(banner.lines(view, 160))
    for words in (
        "1,200 lines from pytest never arrived",
        "pytest counted 1,206 passed; the monitor received 6.",
    ):
        assert words in shown
    assert "do not trust these counts" in shown
    shown = text(header.lines(view, 120, 2))
    assert "! incomplete" in shown and "all passed" not in shown
    assert "passed" not in {role for _, role in header.progress(view, view.board.session.runs[-1], 60)}


def test_the_banner_names_files_that_could_not_be_collected_and_notices() -> None:
    assert "2 files could not be collected (tests/test_orders.py)" in text(
        banner.lines(view_of(streams.collection_errors()), 120)
    )
    notice = "no pytest in /x/python:\n  install it with pip"
    assert "no pytest in /x/python: install it with pip" in text(
        banner.lines(view_of([], notices=("older", notice)), 120)
    )
