"""The content of header, banner, panels and tabs: rows, without a screen."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from support import streams
from support.lines import ANY_LINES

from tdd_monitor.config import Thresholds
from tdd_monitor.protocol.events import (
    Event,
    FinishedTest,
    FixtureUse,
    Hello,
    Line,
    LinesLost,
    Phase,
    PoolSample,
    PoolUse,
    Printed,
    RunCancel,
    RunFinish,
    RunRequest,
    Sample,
    ServerSample,
    Statement,
)
from tdd_monitor.ui.frames.overview import Sweep
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.panels import alerts, banner, columns, durations, header, memory, pools, workers
from tdd_monitor.ui.tabs import TABS, Subject, fixture
from tdd_monitor.ui.tabs.run import PAGES, first_page
from tdd_monitor.ui.tabs.subject import heading
from tdd_monitor.ui.text import format
from tdd_monitor.ui.text.parts import ROLES, Parts, Row, Target, width_of
from tdd_monitor.verdict import Board
from tdd_monitor.verdict.alerts import of_test

MS, MB = streams.MS, streams.MB
PANELS = {"durations": durations, "alerts": alerts, "memory": memory, "pools": pools, "workers": workers}
STREAMS = {
    "shop": streams.shop,
    "running": lambda: streams.shop(stop_after=30),
    "again": streams.rerun_failed,
    "xdist": streams.xdist,
    "lost": streams.lost,
    "errors": streams.collection_errors,
    "nothing": list,
}


def view_of(lines: Iterable[Line], **more: object) -> View:
    board, sweep = Board(), Sweep()
    for line in lines:
        board.apply(line)
    now_ns = board.session.now_ns + 180_000_000
    sweep.step(board.session, now_ns, float("inf"))
    return View(board, now_ns, sweep.latest, tuple(board.alerts()), "tests/", **more)  # type: ignore[arg-type]


def text(rows: Iterable[Row] | Iterable[Parts]) -> str:
    lines = (row.parts if isinstance(row, Row) else row for row in rows)
    return "\n".join("".join(part for part, _role in parts) for parts in lines)


def panel(name: str, view: View, width: int = 60, height: int = 20) -> str:
    return text(PANELS[name].rows(view, width, height))


def subjects(view: View) -> Iterator[Subject]:
    for item in view.board.session.items.values():
        yield Subject(item, view)


def everything(view: View, width: int, height: int) -> Iterator[tuple[str, Parts]]:
    """Everything that must fit into a width, with its source."""
    for lines in (2, 3):
        yield from (("header", parts) for parts in header.lines(view, width, lines))
    yield from (("banner", parts) for parts in banner.lines(view, width))
    for name, module in PANELS.items():
        yield from ((name, row.parts) for row in module.rows(view, width, height))
        module.heading(view)
    chosen = columns.choose(width, with_workers=True)
    yield "titles", columns.title_row(chosen, "duration", reverse=True)
    for item in view.board.session.items.values():
        facts = columns.facts(view.board, item, view.board.session.run, view.now_ns)
        yield "table", columns.row_parts(chosen, facts, on_cursor=True, marked=True)
    for subject in subjects(view):
        yield from (("heading", parts) for parts in heading(subject, width))
        for tab in TABS:
            assert isinstance(tab.filled(subject), bool)
            found = list(tab.rows(subject, width))
            if tab.name in ("Overview", "Memory", "History", "Alerts"):
                yield from ((tab.name, row.parts) for row in found)
    for page in PAGES:
        assert page.count(view) >= 0
        list(page.rows(view))


def check(view: View, width: int, height: int) -> None:
    for where, parts in everything(view, width, height):
        for part, role in parts:
            assert role in ROLES, (where, role)
            assert part == format.visible(part), (where, part)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("width", [57, 63, 77, 97, 117, 158, 197])
def test_everything_fits_its_width(name: str, width: int) -> None:
    view = view_of(STREAMS[name]())
    check(view, width, 7)
    for where, parts in everything(view, width, 7):
        assert width_of(parts) <= width, (where, text([parts]))


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("width", [36, 37, 48])
def test_panels_fit_a_third_of_a_screen(name: str, width: int) -> None:
    view = view_of(STREAMS[name]())
    for panel_name, module in PANELS.items():
        for row in module.rows(view, width, 7):
            assert width_of(row.parts) <= width, (panel_name, text([row]))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ANY_LINES, max_size=25), st.sampled_from([57, 80, 120]), st.integers(1, 30))
def test_no_stream_breaks_the_panels(lines: list[Line], width: int, height: int) -> None:
    check(view_of(lines, notices=("a notice\nof two lines",)), width, height)


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


def test_durations_have_percentiles_a_histogram_and_the_slowest() -> None:
    shown = panel("durations", view_of(streams.shop()))
    assert "p50 10.3 ms" in shown and "max ◆1.24 s" in shown and "▲100" in shown
    assert shown.index("test_report_over_ten_thousand") < shown.index("test_concurrent_checkouts")


def test_alerts_show_severity_metric_value_subject_and_advice() -> None:
    shown = panel("alerts", view_of(streams.shop()), width=120, height=60)
    assert "◆ critical duration           1.24 s 12x of 100 ms" in shown
    assert "▲ warning  memory           +14.6 MB 1.5x of 10 MB" in shown
    assert "◆ critical N+1 query" in shown and "60x" in shown
    assert "→ One query per row (N+1)" in shown
    assert "◆ critical connection leak" in shown


def test_narrow_alerts_still_name_the_test() -> None:
    assert "test_order_list_shows_items" in panel("alerts", view_of(streams.shop()), width=40)


def test_collection_errors_come_first_among_the_alerts() -> None:
    shown = panel("alerts", view_of(streams.collection_errors()))
    assert shown.splitlines()[0].rstrip() == "! not collected  tests/test_orders.py"


def test_without_alerts_the_panel_says_that_all_is_well() -> None:
    assert "Everything is within its thresholds" in panel("alerts", view_of(streams.all_passed()))


def test_memory_says_why_it_is_not_measured() -> None:
    hello = Hello(1, "", "r", 1, "single", unmeasured=("memory: install psutil beside pytest",))
    assert "install psutil" in panel("memory", view_of([Line(1, 1, "", hello)]))
    assert "No data yet." in panel("memory", view_of([Line(1, 1, "", hello._replace(unmeasured=()))]))


def test_memory_shows_peak_growth_and_the_tests_that_add_to_it() -> None:
    view = view_of(streams.shop())
    shown = panel("memory", view)
    assert memory.heading(view) == "82.1 MB now"
    assert shown.splitlines()[0].split("  ") == ["peak 86.1 MB", "tests +21.1 MB", "warm-up +0.0 MB"]
    assert shown.index("+14.6 MB") < shown.index("+6.1 MB")


def leaking(each_kb: int) -> View:
    stream = streams.Stream()
    stream.open("r", "all", "")
    stream.emit(Sample(40 * streams.MB))
    for number in range(400):
        stream.test(streams.Script(f"t.py::test_{number}", call=1, memory_mb=each_kb / 1024))
    return view_of(stream.lines)


def test_a_growing_process_is_marked_and_its_alert_leads_to_the_rows_that_explain_it() -> None:
    view = leaking(100)
    (alert,) = view.alerts
    assert alert.metric == "memory_growth_mb" and "the memory panel (4)" in alert.advice
    assert next(row.target for row in alerts.rows(view, 60, 20)) == Target("panel", "4")
    rows = list(memory.rows(view, 40, 20))
    assert text(rows).splitlines()[0] == "peak 104 MB  tests ▲ +39.1 MB"
    assert text(rows).splitlines()[1] == "warm-up +21.0 MB before the tests"
    assert next(row.target for row in rows if row.target) == Target("test", "t.py::test_0")


def test_small_growth_in_each_test_is_shown_as_one_total() -> None:
    assert "No single test added 0.1 MB (+15.6 MB in total)." in panel("memory", leaking(40))


def test_pools_show_fill_waiting_and_the_server() -> None:
    shown = panel("pools", view_of(streams.xdist()))
    assert "shop gw0" in shown and "3/10 in use" in shown and "◆ 1 waiting" in shown
    assert "server localhost:5432 " in shown and "7 of 100 connections" in shown


def servers_of(*samples: ServerSample, width: int = 60, over: bool = False) -> list[str]:
    events: list[Event] = [RunRequest("r", "all"), *samples, *([RunFinish(0)] if over else [])]
    view = view_of([Line(n, n, "", event) for n, event in enumerate(events, 1)])
    shown = panel("pools", view, width).splitlines()
    return shown[next(n for n, line in enumerate(shown) if line.startswith("server ")) :]


NAMES = ["db:5432", "embedded", "/var/run/postgresql/of/somebody:5432"]


@pytest.mark.parametrize("width", [42, 60, 100])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("count", "word"), [(17, ""), (79, ""), (80, " ▲ nearly full")])
def test_a_server_has_one_line(width: int, name: str, count: int, word: str) -> None:
    (line,) = servers_of(ServerSample(name, count, 100), width=width)
    assert line.startswith("server ") and f" {count} of 100{word}" in line
    assert cell_len(line) == width and name[-5:] in line
    assert name in line or width < 100


def test_in_a_narrow_panel_a_server_has_two_lines() -> None:
    name, figures = servers_of(ServerSample(NAMES[2], 80, 100), width=30)
    assert name == "server …resql/of/somebody:5432" and figures.endswith(" 80 of 100 ▲ nearly full")
    assert cell_len(name) <= cell_len(figures) == 30


def test_after_the_run_a_server_shows_its_peak() -> None:
    samples = [ServerSample("db:1", 40, 100), ServerSample("db:1", 3, 100)]
    assert " 3 of 100 connections" in servers_of(*samples)[0]
    assert " peak 40 of 100 connections" in servers_of(*samples, over=True)[0]


def test_a_server_that_is_not_counted_says_why() -> None:
    samples = [ServerSample("db:1", reason="connection refused"), ServerSample("db:2", 5, 100)]
    samples.append(ServerSample("db:3", 0, 0, "sorry, too many clients already", full=True))
    one, why, two, three, full = servers_of(*samples)
    assert one == "server db:1 ▲ not counted" and why.strip() == "connection refused"
    assert two.startswith("server db:2 ") and "5 of 100" in two
    assert three == "server db:3 ◆ full" and full.strip() == "sorry, too many clients already"


def test_workers_show_the_running_test_its_time_and_crashes() -> None:
    view = view_of(streams.xdist())
    shown = panel("workers", view)
    assert "† crashed" in shown
    assert "▲  390 ms test_export_has_header" in shown
    assert workers.heading(view) == "4 · † 1 crashed"


def detail(tab: str, nodeid: str, lines: Iterable[Line], width: int = 100) -> str:
    view = view_of(lines)
    subject = Subject(view.board.session.items[nodeid], view)
    return text(next(known for known in TABS if known.name == tab).rows(subject, width))


def test_the_waterfall_shows_phases_fixtures_and_sums() -> None:
    shown = detail("Overview", "tests/test_stock.py::test_reorder_level", streams.shop())
    assert [line.split()[0] for line in shown.splitlines()[:5]] == [
        "setup",
        "schema",
        "call",
        "teardown",
        "schema",
    ]
    assert "◆ 17x" in shown and "▲ 1.4x of 100 ms" in shown and "138 ms" in shown


def test_shared_fixtures_are_counted_separately() -> None:
    shown = detail("Overview", streams.FIRST, streams.shop())
    assert "session" in shown and "✓ 7% of 100 ms" in shown
    assert "counted separately" in shown


def test_a_failure_says_why_on_its_first_line() -> None:
    shown = detail("Overview", streams.DISCOUNT, streams.shop())
    assert shown.startswith("✗ call  AssertionError: assert Decimal('17.3366')")


def test_the_traceback_has_source_locations_and_output() -> None:
    view = view_of(streams.shop())
    subject = Subject(view.board.session.items[streams.DISCOUNT], view)
    rows = list(TABS[1].rows(subject, 100))
    assert [row.target.value for row in rows if row.target] == ["tests/test_orders.py:61"]
    assert "Captured stdout call" in text(rows)
    assert {role for row in rows for part, role in row.parts if part.startswith("E ")} == {"failed"}


def test_queries_show_counts_repetition_and_leaks() -> None:
    shown = detail("Queries", streams.N_PLUS_ONE, streams.shop())
    assert "Repeated (N+1)" in shown and "60x" in shown and "SELECT name, price" in shown
    leaky = detail("Queries", "tests/test_export.py::test_export_closes_its_connection", streams.shop())
    assert "1 connection not released" in leaky and "acquired at shop/export.py:31" in leaky


def test_uncounted_queries_are_unknown() -> None:
    record = FinishedTest("t.py::a", "passed", 1, unwatched=("psycopg2",))
    lines = [Line(1, 1, "", RunRequest("r", "all")), Line(2, 2, "", record)]
    assert "Queries not measured (psycopg2)." in detail("Queries", "t.py::a", lines)
    foreign = [lines[0], Line(2, 2, "", record._replace(unwatched=("\x1b[2J",)))]
    view = view_of(foreign)
    check(view, 80, 5)
    assert "\x1b" not in detail("Queries", "t.py::a", foreign)
    view = view_of(lines)
    facts = columns.Facts(view.board.session.items["t.py::a"], record, (), 100.0, 0, "")
    assert columns.QUERIES.cell(facts, 7) == (("unknown", "dim"),)


def test_thousands_of_pools_are_a_few_rows_and_a_count() -> None:
    pools = tuple(PoolSample("shop", "asyncpg", 1, 0, 1, 3, id=n + 1, peak=1) for n in range(50))
    lines = [Line(1, 1, "", RunRequest("r", "all")), Line(2, 2, "", Sample(1, 1, pools, 9950))]
    shown = panel("pools", view_of(lines))
    assert shown.count("1/3 in use") == 20 and "shop #2" in shown
    assert "… and 9980 more pools" in shown.replace(",", "")
    closed = [PoolSample("shop", "asyncpg", max_size=3, peak=2, closed=True, pools=9000)]
    shown = panel("pools", view_of([lines[0], Line(2, 2, "", Sample(1, 1, tuple(closed)))]))
    assert "shop ×9,000" in shown and "peak 2/3" in shown and "closed" in shown


def test_attempts_subtests_memory_history_and_alerts_have_their_tabs() -> None:
    shop = streams.shop()
    assert "attempt 1  ↻ rerun" in detail("Attempts", streams.FLAKY, shop)
    assert "Flaky: passed" in detail("Attempts", streams.FLAKY, shop)
    assert "✗ failed" in detail("Subtests", "tests/test_orders.py::test_order_states", shop)
    assert "▲ Over its threshold of 10 MB" in detail("Memory", streams.LEAKY, shop)
    history = detail("History", streams.FIRST, shop)
    assert "median 7.50 ms" in history and "latest pass" in history
    assert "→ Press enter" in detail("Alerts", streams.SLOW_REPORT, shop)


def test_a_test_without_measurements_says_so() -> None:
    for tab in TABS:
        shown = detail(tab.name, streams.SHOP[39].nodeid, streams.shop(stop_after=3))
        assert shown
    assert "Not run yet." in detail("Overview", streams.SHOP[39].nodeid, streams.shop(stop_after=3))
    assert "pytest died while running this test" in detail("Overview", streams.SLOW_REPORT, streams.lost())


def test_a_fixture_shows_its_cost_by_test() -> None:
    view = view_of(streams.shop())
    found = fixture.cost(view.board.session, "session:pool")
    shown = text(fixture.rows(found, 100))
    assert "pool  session scope  tests/conftest.py" in shown
    assert "1 time" in shown and "48.0 ms in total" in shown and "39 tests" in shown
    assert "3.00 ms in total" in shown


FIRST_OF_ALL = FinishedTest(
    "t.py::test_first",
    "passed",
    1,
    1,
    (
        Phase("setup", "passed", 305 * MS, 4 * MS, 90 * MB, MB, shared_ns=300 * MS),
        Phase("call", "passed", 20 * MS, 2 * MS, 90 * MB),
    ),
    (
        FixtureUse(
            "tables",
            "session",
            300 * MS,
            300 * MS,
            first_user="t.py::test_first",
            cpu_ns=70 * MS,
            rss_delta_bytes=30 * MB,
            db=(
                PoolUse(
                    "psycopg", queries=159, query_ns=250 * MS, ddl=80, slowest=(Statement("CREATE x", 80),)
                ),
            ),
        ),
    ),
)
LAST_OF_ALL = FinishedTest(
    "t.py::test_last",
    "passed",
    1,
    1,
    (Phase("call", "passed", MS), Phase("teardown", "passed", 9 * MS, MS, shared_ns=8 * MS)),
    (
        FixtureUse(
            "tables",
            "session",
            teardown_ns=8 * MS,
            cached=True,
            unused=True,
            first_user="t.py::test_first",
            db=(PoolUse("psycopg", queries=1, query_ns=7 * MS, ddl=1),),
        ),
    ),
)
FIRST_AND_LAST = [Line(n, n * MS, "", event) for n, event in enumerate((FIRST_OF_ALL, LAST_OF_ALL))]


def test_a_phase_shows_the_tests_own_share() -> None:
    shown = detail("Overview", FIRST_OF_ALL.nodeid, FIRST_AND_LAST, 120)
    setup = shown.splitlines()[0].split()
    assert (setup[0], " ".join(setup[-6:])) == ("setup", "ms of 305 ms, cpu 80%"), setup
    assert "5.00" in setup[-7:]
    assert "6.00 ms   24%: mostly waiting" in shown
    found = of_test(FIRST_OF_ALL, Thresholds(test_duration_ms=10.0), 0)
    (alert,) = [each for each in found if each.metric == "test_duration_ms"]
    assert alert.detail == "mostly in call, waiting"


def test_a_shared_fixture_shows_its_own_cost() -> None:
    found = fixture.cost(view_of(FIRST_AND_LAST).board.session, "session:tables")
    shown = " ".join(text(fixture.rows(found, 100)).split())
    for figure in ("used by 1 test ", "CPU time 70.0 ms in total", "memory +30.0 MB in total"):
        assert figure in shown
    assert "no pool (psycopg)" in shown
    assert "statements" in shown and "160" in shown and "in 257 ms" in shown
    assert "CREATE x" in shown
    assert "shared fixtures" in detail("Memory", FIRST_OF_ALL.nodeid, FIRST_AND_LAST)


def test_long_lines_say_how_much_more_there_is() -> None:
    stream = streams.Stream()
    stream.open("r", "all", "")
    stream.test(streams.Script("t.py::test_x", "failed", longrepr="E   " + "x" * 10_000))
    shown = detail("Traceback", "t.py::test_x", stream.lines)
    assert "… [6,004 more characters]" in shown


def test_pages_show_output_errors_notices_and_warnings() -> None:
    view = view_of(
        streams.collection_errors(), output=["tests/a.py F", "\x1b[31mE  boom\x1b[0m"], notices=("no",)
    )
    output, _summary, errors, notices, _warnings = (text(page.rows(view)) for page in PAGES)
    assert output == "tests/a.py F\nE  boom"
    assert "cannot import name 'Basket'" in errors and "SyntaxError" in errors
    assert notices.startswith("! no")
    assert "pool.acquire() without timeout" in text(PAGES[4].rows(view_of(streams.shop())))
    assert "Segmentation fault" in text(PAGES[0].rows(view_of(streams.lost())))


def below_the_limit(exitstatus: int = 1) -> streams.Stream:
    """A run that fails only because of its coverage."""
    stream = streams.Stream()
    stream.open("r", "all", "")
    stream.test(streams.Script("t.py::test_x"))
    stream.emit(Printed("header", "Using --randomly-seed=7\n"))
    stream.emit(Printed("summary", "\x1b[31mFAIL Required test coverage\x1b[0m\n"))
    stream.emit(RunFinish(exitstatus))
    return stream


def test_plugin_output_is_a_page_and_opens_first_if_it_explains_the_exit() -> None:
    view = view_of(below_the_limit().lines, output=["..."])
    assert text(PAGES[1].rows(view)) == "Using --randomly-seed=7\nFAIL Required test coverage"
    assert PAGES[1].count(view) == 2
    assert first_page(view) == "summary"
    assert "exit code 1, although no test failed" in text(banner.lines(view, 120))
    passed = view_of(below_the_limit(0).lines, output=["..."])
    assert first_page(passed) == "output" and not banner.lines(passed, 120)
    assert first_page(view_of(below_the_limit(0).lines)) == "summary"  # a replay has nothing else
    assert first_page(view_of([])) == "output"
    assert text(PAGES[1].rows(view_of([]))).startswith("No summary from pytest")
