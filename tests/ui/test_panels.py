"""The content of the panels: rows, without a screen."""

import pytest
from rich.cells import cell_len
from support import streams

from tdd_monitor.protocol.events import (
    Event,
    Hello,
    Line,
    PoolSample,
    RunFinish,
    RunRequest,
    Sample,
    ServerSample,
)
from tdd_monitor.ui.frames.view import View
from tdd_monitor.ui.panels import alerts, memory, workers
from tdd_monitor.ui.text.parts import Target
from ui.content import panel, text, view_of


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


def test_without_alerts_the_panel_says_that_everything_is_within_its_thresholds() -> None:
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


def test_thousands_of_pools_are_a_few_rows_and_a_count() -> None:
    pools = tuple(PoolSample("shop", "asyncpg", 1, 0, 1, 3, id=n + 1, peak=1) for n in range(50))
    lines = [Line(1, 1, "", RunRequest("r", "all")), Line(2, 2, "", Sample(1, 1, pools, 9950))]
    shown = panel("pools", view_of(lines))
    assert shown.count("1/3 in use") == 20 and "shop #2" in shown
    assert "… and 9980 more pools" in shown.replace(",", "")
    closed = [PoolSample("shop", "asyncpg", max_size=3, peak=2, closed=True, pools=9000)]
    shown = panel("pools", view_of([lines[0], Line(2, 2, "", Sample(1, 1, tuple(closed)))]))
    assert "shop ×9,000" in shown and "peak 2/3" in shown and "closed" in shown
