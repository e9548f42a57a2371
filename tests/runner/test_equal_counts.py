"""Many tests, much output, a monitor that reads slowly: everything arrives. The full sizes are in
tests/reliability/equal_counts.py.
"""

from pathlib import Path

import pytest
from support.projects import engine_for, write

from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.stream import server
from tdd_monitor.session import completeness

SUITE = "import pytest\n@pytest.mark.parametrize('i', range({count}))\ndef test_it(i): {body}\n"


@pytest.mark.parametrize(
    ("count", "body", "read_every_s"),
    [
        (600, "pass", 0.01),
        (60, "print('x' * 1_000_000); assert i < 59", 0.01),
        (400, "print('x' * 4_000)", 0.1),
    ],
    ids=["many", "large", "slow"],
)
async def test_everything_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, body: str, read_every_s: float
) -> None:
    monkeypatch.setattr(server, "_READ_EVERY_S", read_every_s)
    engine = engine_for(write(tmp_path, test_it=SUITE.format(count=count, body=body)))
    code = await run_headless(engine)
    run = engine.board.session.run
    assert run is not None
    assert completeness.problems(run) == []
    assert run.done == run.expected == count
    assert (code, sum(run.counts.values())) == (run.counts["failed"], count)
