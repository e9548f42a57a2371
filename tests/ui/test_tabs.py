"""The content of the tabs of a test, of a fixture, and of the pages: rows, without a screen."""

from support import streams

from tdd_monitor.config import Thresholds
from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    FinishedTest,
    FixtureUse,
    Line,
    Phase,
    PoolUse,
    Printed,
    RunFinish,
    RunRequest,
    Statement,
)
from tdd_monitor.protocol.marks import OwnThreshold
from tdd_monitor.ui.panels import banner, columns
from tdd_monitor.ui.tabs import TABS, Subject, fixture
from tdd_monitor.ui.tabs.run import PAGES, first_page
from tdd_monitor.verdict.alerts import of_test
from tdd_monitor.verdict.regressions import Judgement, State, Verdict
from ui.content import MB, MS, check, detail, text, view_of


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


def test_the_first_line_of_a_failure_has_its_reason() -> None:
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


def test_an_alert_names_the_rule_that_set_its_threshold() -> None:
    own = OwnThreshold("test_duration_ms", 10.0, "tdd_threshold of class TestA, a.py:3")
    marked = Line(0, 0, "", Collect((CollectedTest(FIRST_OF_ALL.nodeid, thresholds=(own,)),)))
    said = "The threshold of 10 ms is set in tdd_threshold of class TestA, a.py:3."
    lines = [marked, *FIRST_AND_LAST]
    assert said in " ".join(detail("Alerts", FIRST_OF_ALL.nodeid, lines).split())
    assert "x of 10 ms" in detail("Overview", FIRST_OF_ALL.nodeid, lines)
    assert said not in " ".join(detail("Alerts", FIRST_OF_ALL.nodeid, FIRST_AND_LAST).split())


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


def test_a_regression_is_announced_and_explained_with_the_test() -> None:
    view = view_of(streams.shop())
    nodeid = streams.SHOP[0].nodeid
    slower = Verdict(nodeid, "test_duration_ms", State.SUSPECTED, 20.0, 44.0, "above 9 earlier runs but one")
    more = Verdict(nodeid, "queries", State.REGRESSED, 3, 4, "exact: the baseline is 3")
    view.board.judgement = Judgement(1.0, {nodeid: State.REGRESSED}, (slower, more))
    check(view, 80, 10)
    assert "▲ 1 test worse than the baseline" in text(banner.lines(view, 120))
    subject = Subject(view.board.session.items[nodeid], view)
    (history,) = (tab for tab in TABS if tab.name == "History")
    shown = text(history.rows(subject, 100))
    assert "▲ regressed  queries 3 -> 4  exact: the baseline is 3" in shown
    assert "? suspected  duration 20.0 ms -> 44.0 ms" in shown


def test_a_duration_that_stands_out_takes_no_line_of_the_screen() -> None:
    view = view_of(streams.shop())
    slower = Verdict("t.py::t", "test_duration_ms", State.SUSPECTED, 20.0, 44.0, "above 9 earlier runs")
    view.board.judgement = Judgement(1.0, {"t.py::t": State.SUSPECTED}, (slower,))
    assert "worse" not in text(banner.lines(view, 120))
