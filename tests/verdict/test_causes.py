"""What many tests have in common is one alert."""

from dataclasses import replace

import pytest

from tdd_monitor.config import Thresholds
from tdd_monitor.protocol.events import FinishedTest, FixtureUse, PoolSample, PoolUse, Statement
from tdd_monitor.session.model import Pool
from tdd_monitor.verdict import Alert, Severity, alerts
from tdd_monitor.verdict.causes import merge_by_cause

MS = 1_000_000


def each(count: int, **fields: object) -> list[Alert]:
    """The alerts of `count` tests with these fields of a record, made from its number."""
    found: list[Alert] = []
    for number in range(1, count + 1):
        made = {name: make(number) for name, make in fields.items()}  # type: ignore[operator]
        found += alerts.of_test(FinishedTest(f"a.py::t{number}", "passed", **made), Thresholds(), 0)
    return found


def fixture(name: str, ms: int) -> FixtureUse:
    return FixtureUse(name, "function", ms * MS, ms * MS)


def test_a_fixture_of_many_tests_is_one_alert_with_its_worst_and_its_total() -> None:
    found = each(40, fixtures=lambda n: (fixture("db", 10 + n), fixture("client", 6)))
    assert len(found) == 80
    db, client = merge_by_cause(found)
    assert (db.subject, db.value, db.detail) == (
        "fixture db (function scope)",
        50,
        "40 tests, 1.22 s in total",
    )
    assert (client.subject, client.detail) == ("fixture client (function scope)", "40 tests, 240 ms in total")
    assert (db.tests[0], len(db.tests)) == ("a.py::t40", 40)


def test_a_fixture_of_one_test_is_named_too() -> None:
    (alert,) = merge_by_cause(each(1, fixtures=lambda n: (fixture("db", 9),)))
    assert (alert.subject, alert.detail) == ("fixture db (function scope)", "a.py::t1")


def test_with_different_thresholds_the_worst_is_the_furthest_above_its_own() -> None:
    far, high = (
        each(1, fixtures=lambda n: (fixture("db", 9),)),
        each(1, fixtures=lambda n: (fixture("db", 60),)),
    )
    high = [replace(alert, threshold=50, severity=Severity.WARNING, tests=("a.py::t2",)) for alert in high]
    far = [replace(alert, severity=Severity.CRITICAL) for alert in far]
    (alert,) = merge_by_cause([*high, *far])
    assert (alert.value, alert.threshold, alert.severity) == (9, 5, Severity.CRITICAL)


def test_a_statement_that_many_tests_repeat_is_one_alert() -> None:
    sql = "SELECT price FROM items WHERE id = ?"
    found = each(3, db=lambda n: (PoolUse("asyncpg", repeated=(Statement(sql, 10 + n),)),))
    (alert,) = merge_by_cause(found)
    assert (alert.subject, alert.value, alert.detail) == (sql, 13, "3 tests")
    assert merge_by_cause(found[:1]) == found[:1]


def test_a_schema_change_that_many_tests_make_is_one_alert() -> None:
    slowest = (Statement("SELECT 1", 1, 90 * MS), Statement("create table t (id int)", 1, 15 * MS))
    use = PoolUse("asyncpg", ddl=1, ddl_max_ns=15 * MS, slowest=slowest)
    (alert,) = merge_by_cause(each(2, db=lambda n: (use,)))
    assert (alert.subject, alert.detail) == ("create table t (id int)", "2 tests, 30.0 ms in total")


def test_a_place_that_leaks_in_many_tests_is_one_alert() -> None:
    leak = PoolUse("asyncpg", "shop", leaked=1, leaked_at=("app.py:3",))
    other = leak._replace(leaked_at=("app.py:9",))
    found = merge_by_cause(each(4, db=lambda n: (leak if n < 4 else other,)))
    assert {alert.subject: alert.value for alert in found} == {"a.py::t4": 1, "acquired at app.py:3": 3}


@pytest.mark.parametrize("waits", [0, 1])
def test_waiting_for_an_exhausted_pool_is_reported_at_that_pool(waits: int) -> None:
    found = each(3, db=lambda n: (PoolUse("asyncpg", "shop", 1, n * 9 * MS, n * 9 * MS, waits),))
    pool = Pool("", PoolSample("shop", "asyncpg", 5, 0, 5, 5), peak_in_use=5, peak_waiting=3)
    merged = merge_by_cause([*alerts.of_pool(pool, Thresholds(), 0), *found])
    if waits:
        (alert,) = merged
        assert alert.detail == "5 of 5 in use; 3 tests waited, 27.0 ms at most"
        assert alert.tests == ("a.py::t3", "a.py::t2", "a.py::t1")
    else:
        assert [alert.metric for alert in merged] == ["pool_waiting", "connection_acquire_ms"]
        assert merged[1].subject == "pool shop"


def test_pools_of_one_name_are_one_alert() -> None:
    pools = [
        Pool(worker, PoolSample("shop", "asyncpg", 5, 0, 5, 5), peak_in_use=5, peak_waiting=waiting)
        for worker in ("gw0", "gw1")
        for waiting in (1, 4)
    ]
    (alert,) = merge_by_cause(alert for pool in pools for alert in alerts.of_pool(pool, Thresholds(), 0))
    assert (alert.subject, alert.value) == ("4 pools shop", 4)
    assert alert.detail == "worst: shop, 5 of 5 in use"


def test_growing_workers_are_one_alert() -> None:
    found = [
        Alert(
            "memory_growth_mb",
            11 + n,
            10,
            Severity.WARNING,
            f"worker gw{n}",
            "more",
            cause="test processes",
        )
        for n in range(4)
    ]
    (alert,) = merge_by_cause(found)
    assert (alert.subject, alert.value, alert.detail) == ("4 test processes", 14, "worst: worker gw3, more")
    assert merge_by_cause(found[:1]) == found[:1]


def test_alerts_without_a_common_cause_are_not_merged() -> None:
    found = each(3, metrics=lambda n: {"test_cleanup_ms": 6.0})
    assert merge_by_cause(found) == found
