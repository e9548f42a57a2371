"""The toolkit's pytest plugin: fixtures and markers.

Every pytest run in an environment with tdd-monitor imports this module, so it imports next to nothing:
drivers are imported, and the server started, for the first test that requests them.
PYTEST_DONT_REWRITE: imported at every start of pytest, and without assertions for tests.
"""

import contextlib
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from tdd_monitor.testing.databases import project

from . import measuring, sql

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from tdd_monitor.testing.contexts.async_context import TDDTestContext
    from tdd_monitor.testing.contexts.manager import DatabaseManager
    from tdd_monitor.testing.contexts.own_database import TDDDatabase
    from tdd_monitor.testing.pools.guarded import GuardedPool

_POOLS = frozenset(["optimized_connection_pool", "shared_connection_pool"])
_ON_A_LOOP = _POOLS | {"tdd_test_context", "tdd_database", "tdd_async_session"}
_ON_ANY_LOOP = _ON_A_LOOP | {"_function_scoped_runner"}  # pytest-asyncio's fixture for the loop of one test

_NEED_A_DATABASE = _ON_A_LOOP | {"tdd_sync_context", "tdd_database_url"}

# A pytest run inside a test (pytester) configures again; the first config is unconfigured last.
_configured: list[pytest.Config] = []
_USAGE = "tdd_monitor_usage"
_LEFT = "tdd_monitor_left"
_LIMITS = "tdd_monitor_limits"
_limits_of_workers: "pytest.StashKey[set[str]]" = pytest.StashKey()
_left: "pytest.StashKey[set[str]]" = pytest.StashKey()
_workers: "pytest.StashKey[list[dict[str, int]]]" = pytest.StashKey()


@pytest.fixture(scope="session")
def tdd_schema() -> Any:
    """The schema for tests: override it with anything `declare_schema` accepts. None: no tables."""
    return None


def for_any_runner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a fixture function that `async_runners` adapts to the test's async runner."""
    marked: Any = function
    marked.plain = function
    return function


@for_any_runner
async def _tdd_test_context(
    request: pytest.FixtureRequest, tdd_schema: Any
) -> "AsyncGenerator[TDDTestContext, None]":
    """A warm asyncpg connection in a transaction that is rolled back: `tdd_test_context.connection`."""
    from tdd_monitor.testing.contexts.async_context import TDDTestContext

    async with TDDTestContext(request.node.nodeid, tdd_schema) as context:
        request.node.user_properties.append(("database", context.path))
        yield context


@for_any_runner
async def _tdd_database(
    request: pytest.FixtureRequest, tdd_schema: Any
) -> "AsyncGenerator[TDDDatabase, None]":
    """A separate database for a test that must commit: `tdd_database.connection`, `tdd_database.url`."""
    from tdd_monitor.testing.contexts.own_database import TDDDatabase

    async with TDDDatabase(request.node.nodeid, tdd_schema) as database:
        request.node.user_properties.append(("database", database.path))
        yield database


@for_any_runner
async def _tdd_async_session(tdd_test_context: "TDDTestContext") -> "AsyncGenerator[AsyncSession, None]":
    """A session inside `tdd_test_context`, which may commit."""
    from tdd_monitor.testing.contexts.sqlalchemy import joined_async_session

    async with joined_async_session() as session:
        yield session


tdd_test_context = pytest.fixture(name="tdd_test_context")(_tdd_test_context)
tdd_database = pytest.fixture(name="tdd_database")(_tdd_database)
tdd_async_session = pytest.fixture(name="tdd_async_session")(_tdd_async_session)


@pytest.fixture
def tdd_database_url(request: pytest.FixtureRequest, tdd_schema: Any) -> Generator[str, None, None]:
    """The URL of a separate database, for sync tests and other drivers."""
    from tdd_monitor.testing.contexts.own_database import TDDDatabase

    database = TDDDatabase(request.node.nodeid, tdd_schema).acquire()
    request.node.user_properties.append(("database", database.path))
    yield database.url
    database.release()


@pytest.fixture(scope="session")
def optimized_connection_pool(tdd_schema: Any) -> "Generator[GuardedPool, None, None]":
    """A warm pool of 2 to 10 connections to a database shared by all tests with this fixture."""
    yield from _pool("OPTIMIZED_POOL_CONFIG", tdd_schema)


@pytest.fixture(scope="session")
def shared_connection_pool(tdd_schema: Any) -> "Generator[GuardedPool, None, None]":
    """A warm pool of 5 to 15 connections for concurrent tasks, to the same database as the other pool."""
    yield from _pool("SHARED_POOL_CONFIG", tdd_schema)


def _pool(config: str, schema: Any) -> "Generator[GuardedPool, None, None]":
    from tdd_monitor.testing.connections.kept_loop import keeper
    from tdd_monitor.testing.contexts.manager import get_database_manager
    from tdd_monitor.testing.pools import guarded
    from tdd_monitor.testing.schema.declare import schema_of

    url = get_database_manager().pool_url
    pool = guarded.GuardedPool(lambda: url(schema_of(schema)), **getattr(guarded, config))
    yield pool
    keeper.run(pool.close)


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin's other modules; starts nothing."""
    if not _configured:
        project.configure(config.rootpath, _Progress(config))
    _configured.append(config)
    # Not with `pytest_plugins`: pytest searches all installed packages for each name in it.
    for module in (measuring, sql):
        config.pluginmanager.register(module, module.__name__)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Generator[None, object, object]:
    """Set up our async fixtures. Called for every fixture of every test, so others return at once."""
    if fixturedef.argname not in _ON_ANY_LOOP:
        return (yield)
    from . import async_runners

    return (yield from async_runners.set_up(fixturedef, request, _ON_A_LOOP, _POOLS))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the server before the first test, which would otherwise seem slow."""
    users = [
        item for item in session.items if not _NEED_A_DATABASE.isdisjoint(getattr(item, "fixturenames", ()))
    ]
    if not users or session.config.option.collectonly:
        return
    from tdd_monitor.testing.contexts.manager import get_database_manager

    from .pytest_internals import modules_with

    # A user's schema is unknown until its fixture runs; until then only the server can start.
    schemas = {module for item in users for module in modules_with("tdd_schema", item)}
    # A failure here recurs in a test, which reports it.
    with contextlib.suppress(Exception):
        get_database_manager().start_early(with_database=schemas == {__name__})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the counts of a pytest-xdist worker to its controller."""
    manager, output = _used_manager(), getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_LIMITS] = _limits()
    if manager is not None and output is not None:
        output[_USAGE] = manager.counts().plain()
        output[_LEFT] = manager.left_on_server()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect the counts of the workers on the controller."""
    output = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(_limits_of_workers, set()).update(output.get(_LIMITS, ()))
    if output.get(_USAGE):
        node.config.stash.setdefault(_workers, []).append(output[_USAGE])
        node.config.stash.setdefault(_left, set()).update(output.get(_LEFT, ()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print one line on how the tests used databases, and one per disabled feature."""
    for limit in sorted({*config.stash.get(_limits_of_workers, ()), *_limits()}):
        terminalreporter.write_line(f"tdd-monitor: {limit}")
    manager, workers = _used_manager(), config.stash.get(_workers, [])
    if (manager is None and not workers) or terminalreporter.verbosity < 0:
        return
    from tdd_monitor.testing.contexts.usage import Usage, left_line

    total = Usage()
    for counts in [*workers, *([manager.counts().plain()] if manager is not None else [])]:
        total.add(counts)
    if line := total.line():
        terminalreporter.write_line(line)
    if left := {*config.stash.get(_left, ()), *(manager.left_on_server() if manager is not None else ())}:
        terminalreporter.write_line(left_line(left))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close everything the tests opened: connections, databases, the server lease."""
    if config in _configured:
        _configured.remove(config)
    if _configured:
        return
    project.configure(None, None)
    manager = _used_manager()
    if manager is not None:
        from tdd_monitor.testing.connections.kept_loop import keeper

        keeper.close(manager.close)
        manager.close_now()


def _used_manager() -> "DatabaseManager | None":
    """The manager if a test has used it; imports nothing."""
    module = sys.modules.get("tdd_monitor.testing.contexts.manager")
    return module.used_manager() if module is not None else None


def _limits() -> list[str]:
    """Notices about features disabled in this process."""
    module = sys.modules.get("tdd_monitor.testing.limits")
    return module.notices() if module is not None else []


class _Progress:
    """Shows the slow first start of the server on the terminal."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shown = False

    def __call__(self, text: str) -> None:
        reporter: Any = self._config.pluginmanager.getplugin("terminalreporter")
        capture: Any = self._config.pluginmanager.getplugin("capturemanager")
        # A normal start takes a tenth of a second, not worth a line in every run.
        if reporter is None or capture is None or (text.startswith("Starting") and not self._shown):
            return
        self._shown = True
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"tdd-monitor: {text} ...")
