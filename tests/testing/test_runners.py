"""The fixture under every runner of asynchronous tests, without any configuration by the user."""

from importlib.util import find_spec

import pytest
import pytest_asyncio.plugin

from .conftest import Run

pytestmark = pytest.mark.usefixtures("unraisable_reported")

LOOP_FACTORIES = pytest.mark.skipif(
    not hasattr(pytest_asyncio.plugin, "PytestAsyncioSpecs"),
    reason="this pytest-asyncio has no loop factories",
)

BACKENDS = """
import pytest
BACKENDS = set()

async def use(context):
    assert await context.connection.fetchval("SELECT 1") == 1
    BACKENDS.add(context.connection.get_server_pid())
"""
# But the one of pytest-asyncio that its own option is not set.
NO_WARNING = ("-W", "error", "-W", "ignore:The configuration option:pytest.PytestDeprecationWarning")
MARKED = (
    BACKENDS
    + """
import pytest_asyncio

@pytest_asyncio.fixture
async def row(tdd_test_context):
    await tdd_test_context.connection.execute("CREATE TEMP TABLE t AS SELECT 7 AS i")

@pytest.mark.asyncio{scope}
@pytest.mark.parametrize("n", range(20))
async def test_many(tdd_test_context, n):
    await use(tdd_test_context)

@pytest.mark.asyncio{fixture_scope}
async def test_a_fixture_of_the_user(tdd_test_context, row):
    assert await tdd_test_context.connection.fetchval("SELECT i FROM t") == 7

@pytest.mark.asyncio
async def test_without_the_toolkit():
    import asyncio
    assert not hasattr(asyncio.get_running_loop(), "is_kept")

def test_connections():
    assert len(BACKENDS) {backends}
"""
)


def marked(scope: str = "", backends: str = "== 1", fixture_scope: str = "") -> str:
    return MARKED.format(scope=scope, backends=backends, fixture_scope=fixture_scope)


def test_pytest_asyncio_strict_with_loops_of_every_scope(run_pytest: Run) -> None:
    scopes = {"class": "== 20", "module": "== 1", "session": "== 1"}
    modules = {
        f"test_{scope}": marked(f"(loop_scope='{scope}')", backends) for scope, backends in scopes.items()
    }
    result_ok(run_pytest(*NO_WARNING, test_function=marked(), **modules), 4 * 23)


def test_pytest_asyncio_auto(run_pytest: Run) -> None:
    result_ok(run_pytest("-o", "asyncio_mode=auto", test_it=marked()), 23)


def test_pytest_asyncio_with_one_loop_for_everything(run_pytest: Run) -> None:
    options = ["asyncio_default_test_loop_scope=session", "asyncio_default_fixture_loop_scope=session"]
    result_ok(run_pytest(*NO_WARNING, "-o", options[0], "-o", options[1], test_it=marked()), 23)


@LOOP_FACTORIES
def test_a_loop_factory_of_the_user_is_respected(run_pytest: Run) -> None:
    conftest = """
import asyncio
class Mine(asyncio.SelectorEventLoop): pass
def pytest_asyncio_loop_factories(config, item):
    if item.path.name == "test_mine.py":
        return {"mine": Mine}
    import uvloop
    return {"uvloop": uvloop.new_event_loop}
"""
    check = """
    import asyncio
    assert type(asyncio.get_running_loop()).__module__ == 'MODULE'
    await use("""
    modules = {"test_mine": "conftest"}
    if find_spec("uvloop"):
        modules["test_uvloop"] = "uvloop"
    files = {
        name: marked(backends="== 20").replace("\n    await use(", check.replace("MODULE", module))
        for name, module in modules.items()
    }
    result_ok(run_pytest(*NO_WARNING, conftest=conftest, **files), 23 * len(files))


def test_a_loop_policy_of_the_user_is_respected(run_pytest: Run) -> None:
    conftest = """
import asyncio
class Policy(asyncio.DefaultEventLoopPolicy): pass
asyncio.set_event_loop_policy(Policy())
"""
    result_ok(run_pytest(conftest=conftest, test_it=marked(backends="== 20")), 23)


ANYIO = (
    BACKENDS
    + """
@pytest.fixture
async def row(tdd_test_context):
    await tdd_test_context.connection.execute("CREATE TEMP TABLE t AS SELECT 7 AS i")

@pytest.mark.anyio
@pytest.mark.parametrize("n", range(3))
async def test_many(tdd_test_context, row, n):
    await use(tdd_test_context)
    assert await tdd_test_context.connection.fetchval("SELECT i FROM t") == 7
"""
)


def test_anyio_without_pytest_asyncio(run_pytest: Run) -> None:
    result_ok(run_pytest("-p", "anyio", "-k", "not trio", "-p", "no:asyncio", test_it=ANYIO), 3)


def test_anyio_beside_pytest_asyncio_and_the_tests_on_trio_are_skipped(run_pytest: Run) -> None:
    has_trio = find_spec("trio") is not None
    result = run_pytest("-p", "anyio", "-rs", *(() if has_trio else ("-k", "not trio")), test_it=ANYIO)
    result_ok(result, 3)
    assert ("tdd_test_context needs asyncio, as asyncpg does" in result.stdout) == has_trio


def test_without_any_plugin_the_context_works_on_a_plain_loop_and_the_fixture_fails(run_pytest: Run) -> None:
    module = """
import asyncio
from tdd_monitor.testing import tdd_test_context

async def use():
    async with tdd_test_context() as context:
        return await context.connection.fetchval("SELECT 1")

def test_run():
    assert asyncio.run(use()) == 1
    assert asyncio.run(use()) == 1

def test_fixture(tdd_test_context): pass
"""
    result = run_pytest(*NO_WARNING, "-p", "no:asyncio", "-p", "no:anyio", test_it=module)
    assert "1 passed, 1 error in" in result.stdout, result.stdout
    told = "tdd_test_context needs pytest-asyncio or anyio; plain tests use tdd_sync_context."
    assert told in result.stdout


def test_each_xdist_worker_has_a_database_of_its_own(run_pytest: Run) -> None:
    module = """
import asyncio, pytest

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(8))
async def test_database(tdd_test_context, worker_id, n):
    name = await tdd_test_context.connection.fetchval("SELECT current_database()")
    assert f"_{worker_id}_" in name
    await tdd_test_context.connection.execute("CREATE TABLE same_name (i int PRIMARY KEY)")
    await asyncio.sleep(0.02)
"""
    result_ok(run_pytest("-n", "2", "-p", "xdist", test_it=module), 8)


def test_left_over_test_tasks_do_not_stop_the_roll_back(run_pytest: Run) -> None:
    module = """
import asyncio, pytest, signal

class TimeOut(BaseException): pass

@pytest.mark.asyncio
async def test_interrupted_in_the_middle_of_a_query(tdd_test_context):
    def interrupt(*_): raise TimeOut
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        await tdd_test_context.connection.execute("CREATE TABLE left_over (i int); SELECT pg_sleep(30)")
    except TimeOut:
        pytest.fail("timed out")

@pytest.mark.asyncio
async def test_next(tdd_test_context):
    assert await tdd_test_context.connection.fetchval("SELECT to_regclass('left_over')") is None
"""
    result = run_pytest(test_it=module)
    assert "1 passed" in result.stdout, result.stdout
    assert "was still running" in result.stdout, result.stdout


def result_ok(result: "object", passed: int) -> None:
    stdout = getattr(result, "stdout", "")
    assert f"{passed} passed" in stdout, stdout + getattr(result, "stderr", "")
    assert "warning" not in stdout, stdout
