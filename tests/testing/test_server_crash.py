"""The embedded server may start for the first time, and die, in the middle of a run."""

import pytest

from .conftest import Run

MODULE = """
import pytest
from tdd_monitor.testing.postgres import server_status, stop_server

async def use(context):
    assert await context.connection.fetchval("SELECT 1") == 1

@pytest.mark.asyncio
async def test_before(tdd_test_context): await use(tdd_test_context)

def test_the_server_dies():
    stop_server()
    assert not server_status().running

@pytest.mark.asyncio
async def test_after(tdd_test_context): await use(tdd_test_context)
"""


@pytest.mark.usefixtures("machine")
def test_the_first_start_is_shown_and_a_crash_is_survived(run_pytest: Run) -> None:
    output = run_pytest(test_it=MODULE).stdout
    assert "3 passed" in output, output
    assert "tdd-monitor: Preparing" in output
