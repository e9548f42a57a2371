"""JUnit XML, read by junitparser; names and counts are those of pytest's own report."""

from pathlib import Path
from typing import Any

import pytest
from junitparser import Error, Failure, JUnitXml, Properties, Skipped
from support import documents, streams
from support.commands import run
from support.documents import document_of
from support.projects import MIXED, write

from tdd_monitor.reports.junit import render

OTHERS = """
import pytest
class TestIt:
    class TestInner:
        @pytest.mark.parametrize("x", ["a::b", "[", "ü", "a/b"])
        def test_it(self, x): pass
"""


def suite(report: dict[str, Any]) -> Any:
    (found,) = JUnitXml.fromstring(render(report).encode())
    return found


def properties(case: Any) -> dict[str, str]:
    return {each.name: each.value for each in case.child(Properties)}


def test_results_and_metrics_are_read_by_another_program() -> None:
    found = suite(documents.shop())
    assert (found.tests, found.failures, found.errors, found.skipped) == (40, 2, 1, 2)
    cases = {case.name: case for case in found}
    failed = cases["test_discount_is_rounded_to_cents"]
    (failure,) = failed.result
    assert isinstance(failure, Failure)
    assert failure.message.startswith("AssertionError: assert Decimal('17.3366')")
    assert failure.text == streams.TRACEBACK and failed.system_out.endswith("total(42) -> 17.3366\n")
    assert isinstance(cases["test_supplier_feed"].result[0], Error)
    assert cases["test_sandbox_gateway"].result[0].message == "SHOP_GATEWAY_URL is not set"
    assert isinstance(cases["test_password_reset_expires"].result[0], Skipped)
    slow = properties(cases["test_report_over_ten_thousand_orders"])
    assert (slow["tdd_monitor.queries"], slow["tdd_monitor.over_threshold"]) == ("18", "test_duration_ms")
    assert cases["test_report_over_ten_thousand_orders"].classname == "tests.test_reports.TestMonthly"


def test_a_subtest_and_its_test_are_one_failure() -> None:
    (failure,) = next(case for case in suite(documents.shop()) if case.name == "test_order_states").result
    assert "'open' != 'paid'" in failure.text and "contains 1 failed subtest" in failure.text


def test_collection_errors_and_lost_tests_are_errors() -> None:
    found = suite(document_of(streams.collection_errors()))
    assert (found.tests, found.errors) == (2, 2)
    assert [case.name for case in found] == ["tests/test_orders.py", "tests/test_stock.py"]
    lost = suite(document_of(streams.lost()))
    assert (lost.errors, lost.failures) == (2, 2)


def test_a_hostile_text_is_xml() -> None:
    error, _skipped, failed = suite(documents.hostile())
    assert "</script>" in failed.result[0].text and "]]>" in failed.result[0].text
    assert "\\ud800" in failed.name and "\\x00" in error.result[0].text


@pytest.mark.parametrize("source", [MIXED, OTHERS])
def test_names_results_and_lines_are_those_of_pytests_own_report(tmp_path: Path, source: str) -> None:
    run(write(tmp_path, test_it=source), "--report", "junit=ours.xml", "--", "--junitxml=theirs.xml")
    (ours,), (theirs,) = (JUnitXml.fromfile(str(tmp_path / name)) for name in ("ours.xml", "theirs.xml"))

    def results(found: Any) -> list[tuple[str, str, set[str]]]:
        return sorted((c.classname, c.name, {type(r).__name__ for r in c.result}) for c in found)

    assert results(ours) == results(theirs)
    assert (ours.failures, ours.errors, ours.skipped) == (theirs.failures, theirs.errors, theirs.skipped)
