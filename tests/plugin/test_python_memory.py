"""Memory of Python objects, as tracemalloc and the garbage collector count it."""

import pytest

from plugin.conftest import Suite
from plugin.harness import MB, Run, run_pytest
from plugin.test_shared_fixtures import CONFTEST, SCOPES

# Each set-up keeps 8 MB in one object that both modes see: the collector does not track a plain bytearray.
WORK = """
    import contextlib

    kept = {}


    class Block(bytearray): pass


    def query(): pass
    def begin(name): kept[name] = Block(8 << 20)
    def end(name): pass


    @contextlib.contextmanager
    def work(name):
        begin(name)
        yield name
"""
TESTS = """
    kept = []

    def test_keeps(): kept.append([[] for _ in range(50_000)])
    def test_drops(): [[] for _ in range(50_000)]
    def test_cycles():
        for _ in range(20_000):
            loop = []
            loop.append(loop)
"""


@pytest.fixture(scope="module", params=["tracemalloc", "gc"])
def run(request: pytest.FixtureRequest, new_suite: Suite) -> Run:
    directory = new_suite(work=WORK, conftest=CONFTEST, test_scopes=SCOPES, test_use=TESTS)
    run = run_pytest(directory, env={"TDD_MONITOR_MEMORY": request.param})
    assert run.exitcode == 0, run.output
    assert run.hello.memory_mode == request.param
    return run


def test_what_tests_keep(run: Run) -> None:
    mode = run.hello.memory_mode
    assert run.phase("test_keeps", "call").python_delta_bytes > 2_000_000
    for name in ("test_drops", "test_cycles"):
        assert abs(run.phase(name, "call").python_delta_bytes) < (300_000 if mode == "gc" else 3_000_000)
    if mode == "tracemalloc":
        assert run.phase("test_drops", "call").python_peak_bytes > 2_000_000


def test_what_shared_fixtures_keep_is_not_the_tests(run: Run) -> None:
    records = [record for record in run.records if record.nodeid.startswith("test_scopes.py")]
    assert len(records) == 8
    for record in records:
        for phase in record.phases:
            assert abs(phase.python_delta_bytes) < 2 * MB, (record.nodeid, phase)
            assert phase.python_peak_bytes < 4 * MB, (record.nodeid, phase)
