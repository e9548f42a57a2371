import io
import json

import pytest
from rich.console import Console

from tdd_monitor.protocol.events import (
    Collect,
    CollectedTest,
    CollectError,
    Event,
    FinishedTest,
    FixtureUse,
    Hello,
    Line,
    LinesLost,
    Phase,
    PoolSample,
    PoolUse,
    RunFinish,
    RunLost,
    RunRequest,
    Sample,
    Section,
    ServerSample,
    StartedTest,
    Statement,
)
from tdd_monitor.reports import console as report
from tdd_monitor.reports.json import document
from tdd_monitor.reports.output import make_console
from tdd_monitor.reports.results import counts_text
from tdd_monitor.verdict import Board

MS = 1_000_000


def finished(name: str, outcome: str = "passed", wall_ms: int = 10, **call: object) -> FinishedTest:
    phase_outcome = "failed" if outcome in ("failed", "error") else outcome
    phase = Phase("call", phase_outcome, wall_ms * MS)._replace(**call)  # type: ignore[arg-type]
    return FinishedTest(f"t.py::{name}", outcome, 1, 1, (Phase("setup", "passed", MS), phase))


def board_of(*events: Event) -> Board:
    board = Board()
    for seq, event in enumerate((RunRequest("r", "all"), Hello(1, "t", "r", 1, "single"), *events)):
        board.apply(Line(seq, seq * 1000 * MS, "", event))
    return board


def summary_of(board: Board, code: int = 1) -> str:
    text = io.StringIO()
    report.summary(board, Console(file=text, width=150), code, ["a notice"])
    return text.getvalue()


def test_a_failure_comes_with_traceback_and_output() -> None:
    failed = finished(
        "a", "failed", longrepr="E assert 1 == 2", sections=(Section("Captured stdout call", "hello"),)
    )
    text = summary_of(board_of(failed, RunFinish(1)))
    assert "FAILED t.py::a" in text and "E assert 1 == 2" in text and "hello" in text


def test_markup_in_names_and_output_is_only_text() -> None:
    failed = finished("a[red]", "failed", longrepr="[bold]E[/bold] [/nothing]")
    text = summary_of(board_of(failed, RunFinish(1)))
    assert "t.py::a[red]" in text and "[bold]E[/bold] [/nothing]" in text


def test_a_lost_run_names_the_signal_and_the_test() -> None:
    board = board_of(StartedTest("t.py::a", 1), RunLost(137, "SIGKILL"))
    text = summary_of(board, 137)
    assert "LOST t.py::a" in text and "pytest died (SIGKILL)" in text


def test_collection_errors_and_notices_are_shown() -> None:
    text = summary_of(board_of(CollectError("t.py", "ImportError: nothing"), RunFinish(2)), 2)
    assert "ERROR collecting t.py" in text and "ImportError: nothing" in text and "a notice" in text


def test_what_is_over_its_threshold_stands_out() -> None:
    sample = Sample(1, 1, (PoolSample("db", "asyncpg", 5, 0, 5, 5, 2),))
    text = summary_of(board_of(finished("slow", wall_ms=200), sample, RunFinish(0)), 0)
    rows = [line.split()[1:] for line in text.splitlines() if line.startswith(("! ", "!! "))]
    assert rows[1][:7] == ["critical", "201", "ms", "100", "ms", "duration", "t.py::slow"]
    assert "pool waiting" in text


def test_shares_are_percent_and_numbers_in_json() -> None:
    board = board_of(ServerSample("db:1", 81, 100), RunFinish(0))
    (row,) = (line for line in summary_of(board, 0).splitlines() if line.startswith("! "))
    assert row.split()[1:6] == ["warning", "81%", "80%", "server", "full"]
    (alert,) = document(board, 0)["alerts"]
    assert (alert["metric"], alert["value"], alert["threshold"]) == ("server_connections", 0.81, 0.8)


def test_each_server_tells_its_peak_and_why_it_was_not_counted() -> None:
    samples = [
        ServerSample("db:1", 40, 100),
        ServerSample("db:1", 3, 100),
        ServerSample("db:2", reason="gone"),
    ]
    samples += [ServerSample("db:3", 90, 100), ServerSample("db:3", reason="too many", full=True)]
    board = board_of(*samples, RunFinish(0))
    text = summary_of(board, 0)
    assert "Server db:1: peak 40 of 100 connections\n" in text
    assert "Server db:2: not counted: gone\n" in text
    assert "Server db:3: peak 90 of 100 connections, then not counted: too many\n" in text
    (alert,) = document(board, 0)["alerts"]
    assert (alert["metric"], alert["subject"], alert["severity"]) == (
        "server_connections",
        "db:3",
        "critical",
    )
    servers = {server["server"]: server for server in document(board, 0)["servers"]}
    assert [(s["peak_connections"], s["max_connections"]) for s in servers.values()] == [
        (40, 100),
        (0, 0),
        (90, 100),
    ]
    assert servers["db:2"]["reason"] == "gone" and servers["db:3"]["full"]


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({}, "no tests ran"),
        ({"passed": 3}, "3 passed"),
        ({"deselected": 5}, "no tests ran, 5 deselected"),
        ({"xfailed": 1, "deselected": 5, "passed": 3}, "3 passed, 5 deselected, 1 xfailed"),
        ({"error": 1, "failed": 1}, "1 failed, 1 error"),
        ({"error": 2}, "2 errors"),
        (
            {"passed": 1, "failed": 2, "rerun": 1, "subtests passed": 4},
            "2 failed, 1 passed, 1 rerun, 4 subtests passed",
        ),
    ],
)
def test_counts_read_like_pytests_own(counts: dict[str, int], text: str) -> None:
    assert counts_text(counts) == text


def test_json_is_json_and_says_how_it_ended() -> None:
    board = board_of(finished("a"), finished("b", "failed"), RunFinish(1))
    read = json.loads(json.dumps(document(board, 1), allow_nan=False))
    assert read["exitcode"] == 1 and read["state"] == "finished"
    assert read["counts"]["passed"] == 1 and read["counts"]["failed"] == 1
    assert [test["outcome"] for test in read["tests"]] == ["passed", "failed"]
    assert read["tests"][0]["test_duration_ms"] == pytest.approx(11.0)


def test_every_test_has_the_same_keys_in_json() -> None:
    collected = Collect((CollectedTest("t.py::a"), CollectedTest("t.py::b")))
    board = board_of(collected, finished("a")._replace(metrics={"mine": 1.0}), RunFinish(1))
    ran, not_run = document(board, 1)["tests"]
    assert ran.keys() == not_run.keys()
    assert (ran["mine"], not_run["mine"], not_run["test_duration_ms"]) == (1.0, None, None)
    assert (not_run["outcome"], not_run["phases"], not_run["fixtures"]) == ("not run", {}, [])


def test_shared_fixtures_have_records_of_their_own_in_json() -> None:
    query = PoolUse("asyncpg", "shop", queries=3, slowest=(Statement("SELECT 1", 3, MS),))
    use = FixtureUse("db", "session", 8 * MS, 7 * MS, 2 * MS, cpu_ns=MS, rss_delta_bytes=1 << 20, db=(query,))
    setup = Phase("setup", "passed", 9 * MS, 2 * MS, shared_ns=8 * MS)
    board = board_of(FinishedTest("t.py::a", "passed", 1, 1, (setup,), (use,)), RunFinish(0))
    read = json.loads(json.dumps(document(board, 0), allow_nan=False))
    (shared,) = read["shared_fixtures"]
    assert (shared["setup_ms"], shared["teardown_ms"], shared["cpu_ms"]) == (7, 2, 1)
    assert (shared["memory_delta_mb"], shared["tests"], shared["db"][0]["queries"]) == (1, 1, 3)
    (test,) = read["tests"]
    assert (test["phases"]["setup"]["wall_ms"], test["phases"]["setup"]["shared_fixtures_ms"]) == (1, 8)
    assert (test["queries"], test["fixtures"][0]["db"][0]["slowest"][0]["sql"]) == (0, "SELECT 1")


def test_plain_lines_tell_each_failure_once() -> None:
    text = io.StringIO()
    board = Board()
    reporter = report.Reporter(board, Console(file=text, width=150))
    events: tuple[Event, ...] = (RunRequest("r", "all"), finished("a", "failed"), finished("b"), RunFinish(1))
    for seq, event in enumerate(events):
        reporter.on_delta(board.apply(Line(seq, seq, "", event)))
    assert text.getvalue().count("FAILED t.py::a") == 1


def test_a_terminal_shows_the_progress_on_one_line() -> None:
    text, board = io.StringIO(), Board()
    reporter = report.Reporter(board, Console(file=text, width=150, force_terminal=True))
    collected = Collect(tuple(CollectedTest(f"t.py::{name}") for name in "ab"))
    events: tuple[Event, ...] = (RunRequest("r", "all"), collected, finished("a"))
    with reporter:
        for seq, event in enumerate(events):
            reporter.on_delta(board.apply(Line(seq, seq, "", event)))
    assert "1/2" in text.getvalue() and "1 passed" in text.getvalue()


def test_names_keep_their_colons(capsys: pytest.CaptureFixture[str]) -> None:
    report.summary(board_of(Sample(pools=(PoolSample(":x:", "asyncpg"),)), RunFinish(0)), make_console(), 0)
    assert "Pool :x: (asyncpg)" in capsys.readouterr().out


def test_what_never_arrived_is_told_loudly() -> None:
    board = board_of(finished("a"), LinesLost(3, 1), RunFinish(0, {"passed": 4}))
    lines = summary_of(board, 76).splitlines()
    assert "INCOMPLETE: pytest counted 4 passed; the monitor received 1." in lines
    assert "INCOMPLETE: 3 lines from pytest never arrived." in lines
    assert lines[-1].startswith("incomplete: 1 passed")
    incomplete = document(board, 76)["incomplete"]
    assert incomplete["counts"] == [{"outcome": "passed", "pytest": 4, "arrived": 1}]
    assert (incomplete["missing_lines"], incomplete["malformed_lines"]) == (3, 1)
    assert document(board_of(finished("a"), RunFinish(0, {"passed": 1})), 0)["incomplete"] is None


def test_queries_of_drivers_that_nobody_watches_are_not_zero() -> None:
    unknown = finished("a")._replace(unwatched=("psycopg2",))
    board = board_of(finished("before"), unknown, RunFinish(0))
    before, after = document(board, 0)["tests"]
    assert (before["queries"], before["unwatched_drivers"]) == (0, [])
    assert (after["queries"], after["unwatched_drivers"]) == (None, ["psycopg2"])
    (alone,) = document(board_of(unknown, RunFinish(0)), 0)["tests"]
    assert alone["queries"] is None
    assert "Queries: not measured in 1 test (psycopg2)" in summary_of(board)
    assert "not measured" not in summary_of(board_of(finished("before"), RunFinish(0)))


def test_pools_of_one_name_are_told_apart_and_only_so_many() -> None:
    pools = tuple(PoolSample("shop", "asyncpg", n % 3, 0, 3, 3, id=n + 1, peak=n % 3) for n in range(30))
    board = board_of(Sample(pools=pools, more_pools=9970), RunFinish(0))
    assert (len(document(board, 0)["pools"]), document(board, 0)["more_pools"]) == (30, 9970)
    text = summary_of(board)
    assert "Pool shop (asyncpg): peak 0 of 3 in use" in text
    assert "Pool shop #3 (asyncpg): peak 2 of 3 in use" in text
    assert "... and 9,980 more pools" in text
    closed = pools[1]._replace(closed=True, pools=12)
    assert "Pool shop (asyncpg), 12 pools: peak 1 of 3" in summary_of(board_of(Sample(pools=(closed,))))
