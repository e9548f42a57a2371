"""The line at the end of a run."""

from tdd_monitor.testing.contexts.usage import Usage

from .conftest import Run

MODULE = """
import pytest
@pytest.fixture(scope="session")
def tdd_schema(): return "CREATE TABLE usage_one (i int); CREATE TABLE usage_two (i int)"

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(6))
async def test_it(tdd_test_context, n): pass

@pytest.mark.asyncio
async def test_own(tdd_database): pass

def test_progress(pytestconfig):
    from tdd_monitor.testing.pytest_plugin.database import _Progress
    show = _Progress(pytestconfig)  # a new one: on a busy machine this run may have waited for the server
    show("Starting, at once")
    show("Preparing, for a while")
    show("Starting, at last")
"""


def test_a_line_reports_how_tests_got_their_databases(run_pytest: Run) -> None:
    first = run_pytest(test_it=MODULE).stdout
    assert "\ntdd-monitor: 6 contexts on 1 connection, 1 database; schema reused 5 of 6 times," in first
    assert "; 1 own database\n" in first
    assert "tdd-monitor: Preparing, for a while ...\ntdd-monitor: Starting, at last ...\n" in first
    assert "at once" not in first
    assert "tdd-monitor: 6" not in run_pytest("-q", test_it=MODULE).stdout


def test_workers_are_added_up(run_pytest: Run) -> None:
    output = run_pytest("-p", "xdist", "-n", "2", test_it=MODULE).stdout
    assert "\ntdd-monitor: 6 contexts on 2 connections, 2 databases; schema reused 4 of 6 times," in output


def test_runs_without_the_toolkit_have_no_such_line(run_pytest: Run) -> None:
    module = """
import sys
def test_it():
    assert not {"asyncpg", "tdd_monitor.testing.contexts.manager"} & set(sys.modules)
"""
    output = run_pytest("-p", "no:anyio", "-p", "no:asyncio", test_it=module).stdout
    assert "1 passed" in output, output
    assert "tdd-monitor:" not in output


def test_numbers_and_plurals() -> None:
    assert Usage().line() == ""
    usage = Usage(contexts=1000, connections=1, databases=1, renewals=1)
    usage.add({"contexts": 1, "own_databases": 2, "unknown": 3})
    assert usage.line() == (
        "tdd-monitor: 1,001 contexts on 1 connection, 1 database; 2 own databases;"
        " 1 database recreated after a commit"
    )
