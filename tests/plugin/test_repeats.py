"""Every test several times in a row in one process."""

import pytest

from plugin.conftest import Suite
from plugin.harness import run_pytest

REPEATED = """
import pytest

made = []

@pytest.fixture(scope="session")
def shared(): made.append("shared")

@pytest.fixture
def own(): made.append("own")

def test_a(shared, own): pass
def test_b(shared): assert made == ["shared", "own", "own", "own"]
"""


@pytest.mark.parametrize("args", [(), ("-p", "xdist", "-n1")], ids=["single", "xdist"])
def test_each_repetition_is_an_attempt_and_shared_fixtures_stay(args: tuple[str, ...], suite: Suite) -> None:
    run = run_pytest(suite(test_repeated=REPEATED), *args, env={"TDD_MONITOR_REPEAT": "3"}, complete=False)
    assert run.exitcode == 0, run.output
    found = [(record.nodeid.partition("::")[2], record.attempt, record.outcome) for record in run.records]
    assert found == [(name, attempt, "passed") for name in ("test_a", "test_b") for attempt in (1, 2, 3)]
