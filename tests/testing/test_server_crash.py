"""The embedded server may start for the first time, and die, in the middle of a run."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tdd_monitor.testing.postgres import stop_server

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


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which no server ever ran."""
    # Not tmp_path: as root that is below a 0700 directory, where the server's account cannot go.
    cache = Path(tempfile.mkdtemp(prefix="tdd-cache-"))
    cache.chmod(0o711)
    monkeypatch.setenv("TDD_MONITOR_CACHE_DIR", str(cache))
    yield
    stop_server()
    shutil.rmtree(cache)


@pytest.mark.usefixtures("machine")
def test_the_first_start_is_shown_and_a_crash_is_survived(run_pytest: Run) -> None:
    output = run_pytest(test_it=MODULE).stdout
    assert "3 passed" in output, output
    assert "tdd-monitor: Preparing" in output
