"""Which figures break a threshold, how badly, and where that is said."""

import pytest

from tdd_monitor.config import Thresholds
from tdd_monitor.protocol.events import (
    FinishedTest,
    FixtureUse,
    Phase,
    PoolSample,
    PoolUse,
    ServerSample,
    Statement,
)
from tdd_monitor.session.growth import Growth
from tdd_monitor.session.model import DatabaseServer, Pool, SharedFixture, Worker
from tdd_monitor.verdict import Severity, alerts, wording

MS = 1_000_000
MB = 1 << 20
T = "a.py::t"


def of(record: FinishedTest, **thresholds: float) -> list[tuple[str, float, str]]:
    found = alerts.of_test(record, Thresholds(**thresholds), 7)
    assert all((alert.subject, alert.timestamp_ns) == (T, 7) for alert in found)
    return [(alert.metric, alert.value, alert.severity.value) for alert in found]


def lasting(ms: float, outcome: str = "passed") -> FinishedTest:
    return FinishedTest(T, outcome, phases=(Phase("call", outcome, int(ms * MS)),))


@pytest.mark.parametrize(
    ("value", "severity"),
    [(100.000001, "warning"), (150, "warning"), (150.000001, "critical"), (10_000, "critical")],
)
def test_up_to_one_and_a_half_times_the_threshold_is_a_warning(value: float, severity: str) -> None:
    ((metric, found, how),) = of(lasting(value))
    assert (metric, how) == ("test_duration_ms", severity)
    assert found == pytest.approx(value)


@pytest.mark.parametrize("value", [0, 99.9, 100])
def test_the_threshold_itself_is_acceptable(value: float) -> None:
    assert of(lasting(value)) == []


@pytest.mark.parametrize("outcome", ["skipped", "rerun"])
def test_tests_that_did_not_run_to_an_end_have_no_alerts(outcome: str) -> None:
    assert of(lasting(999, outcome)) == []


@pytest.mark.parametrize("outcome", ["failed", "error", "xfailed", "xpassed"])
def test_tests_that_did_not_pass_have(outcome: str) -> None:
    assert len(of(lasting(999, outcome))) == 1


EVERYTHING = FinishedTest(
    T,
    "passed",
    phases=(Phase("call", "passed", 900 * MS, 0, 0, 90 * MB),),
    fixtures=(FixtureUse("f", "function", 90 * MS, 90 * MS),),
    db=(
        PoolUse(
            "asyncpg",
            "shop",
            1,
            90 * MS,
            90 * MS,
            ddl=1,
            ddl_max_ns=90 * MS,
            repeated=(Statement("SELECT 1", 90),),
        ),
    ),
    metrics={"test_cleanup_ms": 90.0},
)
PER_TEST = sorted(set(Thresholds().items()) - {"memory_growth_mb", "pool_utilization", "server_connections"})


@pytest.mark.parametrize("metric", PER_TEST)
def test_zero_switches_one_threshold_off(metric: str) -> None:
    assert sorted(name for name, _, _ in of(EVERYTHING)) == PER_TEST
    assert sorted(name for name, _, _ in of(EVERYTHING, **{metric: 0})) == sorted({*PER_TEST} - {metric})


def test_the_worst_comes_first() -> None:
    found = alerts.of_test(EVERYTHING, Thresholds(test_duration_ms=800), 0)
    assert [alert.factor for alert in found[:-1]] == sorted((a.factor for a in found[:-1]), reverse=True)
    assert (found[-1].metric, found[-1].severity) == ("test_duration_ms", Severity.WARNING)


def test_every_alert_says_what_to_do() -> None:
    assert all(alert.advice for alert in alerts.of_test(EVERYTHING, Thresholds(), 0))
    assert set(Thresholds().items()) <= set(wording.ADVICE)


@pytest.mark.parametrize(
    ("use", "detail"),
    [
        (FixtureUse("db", "function", 9 * MS, 9 * MS), "fixture db (function scope)"),
        (FixtureUse("db", "session", 9 * MS, 9 * MS), None),
        (FixtureUse("db", "session", 9 * MS, 9 * MS, cached=True), None),
        (FixtureUse("db", "function", 90 * MS, 5 * MS), None),
    ],
    ids=["own", "shared", "cached", "others' time"],
)
def test_a_fixture_is_judged_by_its_own_set_up(use: FixtureUse, detail: str | None) -> None:
    found = alerts.of_test(FinishedTest(T, "passed", fixtures=(use,)), Thresholds(), 0)
    assert [alert.detail for alert in found] == ([detail] if detail else [])


@pytest.mark.parametrize(
    ("setups_ms", "tests", "value"),
    [((300,), (50,), 6.0), ((300,), (60,), None), ((300, 300), (60, 40), 6.0), ((300,), (0,), None)],
    ids=["over", "at the threshold", "several lives", "unused"],
)
def test_a_shared_fixture_is_judged_by_what_it_costs_each_test_that_used_it(
    setups_ms: tuple[int, ...], tests: tuple[int, ...], value: float | None
) -> None:
    lives = [
        SharedFixture(FixtureUse("db", "session", ms * MS, ms * MS, first_user=f"a.py::t{n}"), 1, users)
        for n, (ms, users) in enumerate(zip(setups_ms, tests, strict=True))
    ]
    found = alerts.of_shared(lives, lambda _nodeid: Thresholds(), 7)
    assert [alert.value for alert in found] == ([value] * len(lives) if value else [])
    assert [alert.subject for alert in found] == [f"a.py::t{n}" for n in range(len(found))]
    for alert in found:
        assert alert.cause == "fixture db (session scope)" and "wider scope" not in alert.advice
        assert f"for {sum(tests)} tests" in alert.detail
    assert alerts.of_shared(lives, lambda _nodeid: Thresholds(fixture_setup_ms=0), 7) == []


def test_each_slow_fixture_has_its_own_alert() -> None:
    uses = tuple(FixtureUse(name, "function", 9 * MS, 9 * MS) for name in ("a", "b"))
    assert of(FinishedTest(T, "passed", fixtures=uses)) == [("fixture_setup_ms", 9, "critical")] * 2


def test_a_set_up_time_that_the_test_reported_is_judged_too() -> None:
    assert of(FinishedTest(T, "passed", metrics={"fixture_setup_ms": 6.0})) == [
        ("fixture_setup_ms", 6, "warning")
    ]


@pytest.mark.parametrize("thresholds", [{}, {"repeated_queries": 0.0}])
def test_a_connection_that_was_not_released_is_critical_and_located(thresholds: dict[str, float]) -> None:
    uses = (
        PoolUse("asyncpg", "shop", leaked=1, leaked_at=("app.py:3",)),
        PoolUse("asyncpg", "log", leaked=2, leaked_at=("log.py:4", "log.py:5")),
    )
    (alert,) = alerts.of_test(FinishedTest(T, "passed", db=uses), Thresholds(**thresholds), 0)
    assert (alert.metric, alert.value, alert.severity) == ("leaked_connections", 3, Severity.CRITICAL)
    assert alert.detail == "acquired at app.py:3, log.py:4, log.py:5"


@pytest.mark.parametrize(("count", "alerted"), [(10, False), (11, True)])
def test_one_query_per_row_names_the_query(count: int, alerted: bool) -> None:
    uses = (
        PoolUse(
            "asyncpg",
            repeated=(
                Statement("SELECT few", 2),
                Statement("SELECT many", count),
                Statement("INSERT INTO many", 99),
            ),
        ),
    )
    found = alerts.of_test(FinishedTest(T, "passed", db=uses), Thresholds(), 0)
    assert [alert.detail for alert in found] == (["SELECT many"] if alerted else [])


@pytest.mark.parametrize(("cpu_ms", "word"), [(10, "waiting"), (190, "computing")])
def test_a_slow_test_says_where_and_whether_it_computed(cpu_ms: int, word: str) -> None:
    phases = (Phase("setup", "passed", 3 * MS), Phase("call", "passed", 200 * MS, cpu_ms * MS))
    (alert,) = alerts.of_test(FinishedTest(T, "passed", phases=phases), Thresholds(), 0)
    assert alert.detail == f"mostly in call, {word}"


def pool(peak: int, maximum: int, waiting: int = 0) -> Pool:
    sample = PoolSample("shop", "asyncpg", 1, 0, 1, maximum, waiting)
    return Pool("", sample, peak_in_use=peak, peak_waiting=waiting)


@pytest.mark.parametrize(
    ("peak", "maximum", "limit", "value"),
    [(9, 10, 0.9, None), (10, 10, 0.9, 1.0), (10, 10, 0.0, None), (99, 0, 0.9, None), (3, 4, 0.5, 0.75)],
    ids=["at the threshold", "full", "switched off", "unlimited", "other threshold"],
)
def test_a_pool_that_is_nearly_used_up(peak: int, maximum: int, limit: float, value: float | None) -> None:
    found = alerts.of_pool(pool(peak, maximum), Thresholds(pool_utilization=limit), 7)
    assert [(a.metric, a.value, a.subject, a.detail) for a in found] == (
        [("pool_utilization", value, "shop", f"{peak} of {maximum} in use")] if value else []
    )


@pytest.mark.parametrize(("maximum", "text"), [(5, "5 of 5 in use"), (0, "5 of unlimited in use")])
def test_waiting_for_a_connection_is_critical(maximum: int, text: str) -> None:
    (alert,) = alerts.of_pool(pool(5, maximum, waiting=3), Thresholds(pool_utilization=0), 7)
    assert (alert.metric, alert.value, alert.severity, alert.detail) == (
        "pool_waiting",
        3,
        Severity.CRITICAL,
        text,
    )


@pytest.mark.parametrize(
    ("peak", "maximum", "limit", "value"),
    [(80, 100, 0.8, None), (81, 100, 0.8, 0.81), (99, 100, 0.0, None), (5, 0, 0.8, None)],
    ids=["at the threshold", "above", "switched off", "maximum unknown"],
)
def test_a_server_that_is_nearly_full(peak: int, maximum: int, limit: float, value: float | None) -> None:
    server = DatabaseServer(ServerSample("db:5432", 7, maximum), peak, maximum)
    found = alerts.of_server(server, Thresholds(server_connections=limit), 7)
    assert [(a.metric, a.value, a.subject, a.detail, a.severity) for a in found] == (
        [("server_connections", value, "db:5432", f"{peak} of {maximum} connections", Severity.WARNING)]
        if value
        else []
    )
    assert all("max_connections" in alert.advice for alert in found)


@pytest.mark.parametrize(
    ("peak", "maximum", "text"),
    [(0, 0, "a connection was refused"), (90, 100, "90 of 100 connections, a connection was refused")],
)
def test_a_server_that_refuses_is_critical_also_when_it_has_room_again(
    peak: int, maximum: int, text: str
) -> None:
    server = DatabaseServer(ServerSample("db:5432", 3, maximum), peak, maximum, was_full=True)
    (alert,) = alerts.of_server(server, Thresholds(), 7)
    assert (alert.severity, alert.value, alert.detail) == (Severity.CRITICAL, 1.0, text)


@pytest.mark.parametrize(
    ("growth_mb", "limit", "severity"),
    [(10, 10, None), (11, 10, "warning"), (16, 10, "critical"), (99, 0, None), (-50, 10, None)],
)
def test_a_process_that_grows(growth_mb: int, limit: float, severity: str | None) -> None:
    growth = Growth(60 * MB, 60 * MB)
    for n in range(1, 101):
        growth.add(60 * MB + growth_mb * MB * n // 99)  # one step does not count
    worker = Worker("gw1", first_rss_bytes=20 * MB, growth=growth)
    found = alerts.of_worker(worker, Thresholds(memory_growth_mb=limit), 7)
    assert [(a.severity.value, a.subject) for a in found] == ([(severity, "worker gw1")] if severity else [])
    assert [a.value for a in found] == pytest.approx([growth_mb] * len(found), abs=0.001)
    assert all(a.detail == f"from 60 to {60 + growth_mb} MB in 100 tests" for a in found)
