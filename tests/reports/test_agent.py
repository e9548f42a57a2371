"""The report for coding agents: short, bounded, with commands that work."""

import shlex

import pytest
from support import documents, streams
from support.documents import document_of

from tdd_monitor.cli.agents import VARIABLES, detected
from tdd_monitor.reports.agent import MAX_FAILURES, MAX_LINES, MAX_TRACEBACK, relevant, render


def test_a_failure_comes_with_place_traceback_and_output() -> None:
    lines = render(documents.shop()).splitlines()
    assert lines[0].startswith("3 failed, 1 error, 34 passed") and lines[0].endswith(
        "pytest's exit code is 1"
    )
    start = lines.index(f"FAILED {streams.DISCOUNT}  tests/test_orders.py:61")
    assert (
        '| >       assert await shop_client.total(order.id) == Decimal("17.33")' in lines[start : start + 8]
    )
    assert "| total(42) -> 17.3366" in lines[start : start + 14]
    assert (
        "FAILED tests/test_orders.py::test_order_states (subtest [status=paid])  tests/test_orders.py:72"
        in lines
    )


def test_what_got_worse_and_what_is_over_a_threshold_is_named() -> None:
    text = render(documents.shop())
    assert f"regressed {streams.N_PLUS_ONE}: queries 2 -> 61 (exact: the baseline is 2)" in text
    assert f"critical {streams.SLOW_REPORT}: duration 1.24 s, limit 100 ms: mostly in call, waiting" in text


def test_collection_errors_and_deaths_are_explained() -> None:
    assert "ERROR collecting tests/test_orders.py  tests/test_orders.py:3" in render(
        document_of(streams.collection_errors())
    )
    died = render(document_of(streams.lost()))
    assert died.startswith("pytest died (SIGKILL)") and "Fatal Python error: Segmentation fault" in died
    assert f"LOST {streams.SLOW_REPORT}" in died


def commands(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.partition("\nNEXT\n")[2].splitlines())


def test_the_commands_name_the_tests_and_the_directory() -> None:
    report = documents.shop()
    found = commands(render(report))
    assert shlex.split(found["rerun what failed"])[:3] == ["tdd-monitor", "run", streams.DISCOUNT]
    assert found["earlier runs of a test"] == f"tdd-monitor history {streams.DISCOUNT}"
    assert shlex.split(found["rerun what is over a threshold"])[2] == streams.HUNGRY  # the worst first
    report["environment"]["directory"] = "/shop/tests"
    assert commands(render(report))["rerun what failed"].startswith("cd /shop && tdd-monitor run ")


def test_a_run_without_problems_is_one_line() -> None:
    assert render(document_of(streams.all_passed(), 0)) == "6 passed in 0.37 s; pytest's exit code is 0\n"


def test_many_failures_stay_short_and_keep_the_commands() -> None:
    report = documents.shop()
    failed = next(test for test in report["tests"] if test["outcome"] == "failed")
    failed["failures"][0]["longrepr"] = "\n".join(f"E   line {n} " + "x" * 5000 for n in range(5000))
    report["tests"] = [{**failed, "nodeid": f"t.py::test_{n}"} for n in range(500)]
    text = render(report)
    assert len(text.splitlines()) < MAX_LINES + 10 and len(text) < 100_000
    assert text.count("FAILED t.py") <= MAX_FAILURES
    assert commands(text)["rerun what failed"] == "tdd-monitor run -- --lf"


def test_a_long_traceback_keeps_the_marked_lines_and_the_last_frame() -> None:
    frames = [f"    before {n}\n>   call_{n}()\n\na.py:{n + 1}: \n" for n in range(50)]
    text = "\n".join(
        [*frames, "def deepest():", "    x = 1", ">   assert x == 2", "E   assert 1 == 2", "", "a.py:9: X"]
    )
    lines = relevant(text)
    assert len([line for line in lines if line != "..."]) <= MAX_TRACEBACK
    assert lines[-5:] == ["    x = 1", ">   assert x == 2", "E   assert 1 == 2", "...", "a.py:9: X"]
    assert lines[0] == "..." and ">   call_0()" in lines


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_shows_an_agent_but_never_on_a_terminal(variable: str) -> None:
    assert detected({variable: "1"}, terminal=False) == variable
    assert detected({variable: "1"}, terminal=True) == ""
    assert detected({variable: "0"}, terminal=False) == "" == detected({}, terminal=False)
