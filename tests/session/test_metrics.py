"""Figures of one record, under their public names."""

import pytest
from support.scenarios import CRASHED, ENDS, RERUNS, Fate, Script, record

from tdd_monitor.protocol.events import FinishedTest, FixtureUse, Phase, PoolUse, Statement
from tdd_monitor.session import metrics

MS = 1_000_000
MB = 1 << 20


@pytest.mark.parametrize("fate", [*ENDS, *RERUNS, CRASHED], ids=lambda fate: f"{fate.outcome}: {fate.phases}")
def test_words_are_those_of_pytests_summary_line(fate: Fate) -> None:
    assert tuple(metrics.categories(record(Script("a.py::t", (fate,)), 1, 0))) == fate.words


def test_an_attempt_without_phases_counts_as_its_outcome() -> None:
    assert metrics.categories(FinishedTest("a.py::t", "failed")) == ["failed"]


def use(scope: str, self_ms: int = 0, teardown_ms: int = 0, **more: bool) -> FixtureUse:
    return FixtureUse("f", scope, self_ms * MS, self_ms * MS, teardown_ms * MS, **more)  # type: ignore[arg-type]


THREE_PHASES = tuple(Phase(when, "passed", ms * MS, ms * MS // 2, 0, ms * MB) for when, ms in
                     (("setup", 50), ("call", 20), ("teardown", 10)))  # fmt: skip


@pytest.mark.parametrize(
    ("fixtures", "own_ms"),
    [
        ((), 80),
        ((use("function", 40, 5),), 80),
        ((use("session", 40), use("function", 5)), 40),
        ((use("module", 40), use("class", 0, 8, cached=True)), 32),
        ((use("session", 500),), 0),
    ],
    ids=["none", "own", "set up", "torn down", "more than there was"],
)
def test_shared_fixtures_are_not_the_tests_own_time(fixtures: tuple[FixtureUse, ...], own_ms: int) -> None:
    values = metrics.metric_values(FinishedTest("a", "passed", 1, 0, THREE_PHASES, fixtures))
    assert (values["test_duration_ms"], values["total_duration_ms"]) == (own_ms, 80)
    assert (values["cpu_ms"], values["memory_usage_mb"]) == (40, 80)


def test_phases_say_what_of_their_time_is_shared() -> None:
    setup, call, teardown = THREE_PHASES
    phases = (setup._replace(shared_ns=45 * MS), call, teardown._replace(shared_ns=12 * MS))
    assert [metrics.phase_ns(phase) for phase in phases] == [5 * MS, 20 * MS, 0]
    record = FinishedTest("a", "passed", 1, 0, phases, (use("session", 44),))
    assert metrics.own_ns(record) == 23 * MS


def test_only_the_slowest_set_up_of_the_test_itself_counts() -> None:
    fixtures = (use("function", 3), use("function", 2), use("session", 7), use("session", 90, cached=True))
    assert metrics.metric_values(FinishedTest("a", "passed", fixtures=fixtures))["fixture_setup_ms"] == 3
    shared_only = FinishedTest("a", "passed", fixtures=fixtures[2:])
    assert "fixture_setup_ms" not in metrics.metric_values(shared_only)


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT name FROM items WHERE id = ?", True),
        ("(select 1) UNION SELECT 2", True),
        ("SELECT 1 FROM t FOR UPDATE", True),
        ("WITH x AS (SELECT 1) SELECT * FROM x", True),
        ("WITH x AS (DELETE FROM t RETURNING id) SELECT * FROM x", False),
        ("INSERT INTO t SELECT 1", False),
        ("UPDATE t SET a = ?", False),
        ("COPY t FROM STDIN", False),
        ("", False),
    ],
)
def test_read_only_statements_are_recognized(sql: str, reads: bool) -> None:
    assert metrics.is_read(sql) is reads


def test_database_figures_are_sums_or_maxima_over_pools() -> None:
    pools = (
        PoolUse("asyncpg", "shop", 2, 9 * MS, 6 * MS, 1, 2, 1, (), 5, 4 * MS, 1, 12 * MS, 12 * MS),
        PoolUse(
            "asyncpg",
            "log",
            1,
            2 * MS,
            2 * MS,
            0,
            1,
            1,
            (),
            3,
            MS,
            repeated=(Statement("SELECT 1", 4), Statement("INSERT INTO t", 9)),
        ),
    )
    values = metrics.metric_values(FinishedTest("a", "passed", db=pools))
    assert {name: values[name] for name in list(values)[-6:]} == {
        "connection_acquire_ms": 6,
        "schema_operation_ms": 12,
        "query_ms": 5,
        "leaked_connections": 2,
        "pool_peak": 2,
        "repeated_queries": 4,
    }
    assert values["queries"] == 8


def test_absent_work_has_no_figure() -> None:
    assert set(metrics.metric_values(FinishedTest("a", "passed"))) == {
        "test_duration_ms",
        "total_duration_ms",
        "cpu_ms",
        "memory_usage_mb",
        "queries",
    }


def test_uncounted_queries_are_not_zero() -> None:
    unknown = FinishedTest("a", "passed", unwatched=("psycopg2", "sqlite3"))
    assert "queries" not in metrics.metric_values(unknown)
    assert metrics.unmeasured_queries(unknown) == "not measured (psycopg2, sqlite3)"
    partly = unknown._replace(db=(PoolUse("asyncpg", queries=3),))
    assert metrics.metric_values(partly)["queries"] == 3
    assert metrics.unmeasured_queries(FinishedTest("a", "passed")) == ""


def test_metrics_reported_by_the_test_take_precedence() -> None:
    values = metrics.metric_values(FinishedTest("a", "passed", metrics={"queries": 99.0, "mine": 1.5}))
    assert (values["queries"], values["mine"]) == (99.0, 1.5)


def test_tracebacks_of_all_phases_are_in_order() -> None:
    phases = (
        Phase("setup", "passed"),
        Phase("call", "failed", longrepr="E 1"),
        Phase("teardown", "failed", longrepr="E 2"),
    )
    assert metrics.longrepr(FinishedTest("a", "failed", phases=phases)) == "E 1\n\nE 2"
