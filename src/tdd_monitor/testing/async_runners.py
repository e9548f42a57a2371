"""Lets our asynchronous fixtures run under pytest-asyncio (any mode, any loop scope) and under anyio.

Both look at a fixture in `pytest_fixture_setup`. This hook comes before theirs and tells them what the
user would otherwise have to configure. Imports of asyncio wait until a test needs it.
PYTEST_DONT_REWRITE: part of every start of pytest, and nothing here asserts for tests.
"""

import types
import warnings
from collections.abc import Callable, Generator
from typing import Any

import pytest

_RUNNER = "_function_scoped_runner"  # pytest-asyncio's fixture that opens the loop of one test
_FACTORY = "_asyncio_loop_factory"  # its fixture, since 1.4, for the user's own kind of loop
_POLICY = "event_loop_policy"


def for_any_runner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a fixture function as `pytest_asyncio.fixture` does, without importing pytest-asyncio."""
    assert isinstance(function, types.FunctionType)
    marked: Any = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    marked.__doc__ = function.__doc__
    marked._force_asyncio_fixture = True
    marked._loop_scope = None
    marked.plain = function
    return marked  # type: ignore[no-any-return]


class AsyncRunners:
    """Pytest plugin. `fixtures` are the names of our fixtures that need an event loop; some are `pools`."""

    def __init__(self, fixtures: frozenset[str], pools: frozenset[str]) -> None:
        self._fixtures = fixtures
        self._pools = pools

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Called for every fixture of every test, so it leaves at once when it is not concerned."""
        name = fixturedef.argname
        if name == _RUNNER:
            names = request.fixturenames
            if not self._fixtures.isdisjoint(names):
                runner = yield from _with_kept_loop(fixturedef)
                for name in self._pools.intersection(names):
                    _warm_up(request.getfixturevalue(name), runner)
                return runner
        elif name in self._fixtures and hasattr(fixturedef.func, "plain"):
            return (yield from _for_the_runner_of_the_test(fixturedef, request))
        return (yield)


def _with_kept_loop(fixturedef: Any) -> Generator[None, object, object]:
    """Offer our loop where pytest-asyncio would use asyncio's default."""
    from .kept_loop import keeper, lending_policy

    make = fixturedef.func

    def make_with_kept_loop(**values: Any) -> Generator[Any, None, None]:
        if values.get(_FACTORY) is None and _is_default(values.get(_POLICY)):
            if _FACTORY in values:
                values[_FACTORY] = keeper.lend
            elif _POLICY in values:
                values[_POLICY] = lending_policy()
        yield from make(**values)

    fixturedef.func = make_with_kept_loop
    try:
        return (yield)
    finally:
        fixturedef.func = make


def _warm_up(pool: Any, runner: Any) -> None:
    """Open a pool's connections before its first test, on the loop that the test will have."""
    if not pool.is_warm(runner.get_loop()):
        runner.run(pool.warm_up())


def _for_the_runner_of_the_test(fixturedef: Any, request: Any) -> Generator[None, object, object]:
    function = fixturedef.func
    loop_scope = getattr(request.node, "_loop_scope", None)
    if loop_scope is None and "anyio_backend" in request.fixturenames:
        _refuse_trio(request)
        # Without the mark, else pytest-asyncio would take it away from anyio.
        fixturedef.func = function.plain
    elif not request.config.pluginmanager.has_plugin("asyncio"):
        pytest.fail(
            f"{fixturedef.argname} needs pytest-asyncio or anyio; plain tests use tdd_sync_context.",
            pytrace=False,
        )
    else:
        function._loop_scope = loop_scope
    try:
        return (yield)
    finally:
        fixturedef.func = function


def _refuse_trio(request: Any) -> None:
    backend = request.getfixturevalue("anyio_backend")
    name = backend if isinstance(backend, str) else backend[0]
    if name != "asyncio":
        pytest.skip(f"{request.fixturename} needs asyncio, as asyncpg does; this is the variant on {name}")


def _is_default(policy: object) -> bool:
    """Tell whether the policy is the one that asyncio has when nobody sets another."""
    import asyncio

    with warnings.catch_warnings():
        # Policies are going: deprecated in Python 3.14, gone in 3.16. Then everything is default here.
        warnings.simplefilter("ignore", DeprecationWarning)
        default = getattr(asyncio, "DefaultEventLoopPolicy", None)
        if policy is None and default is not None:
            policy = asyncio.get_event_loop_policy()
    return default is None or type(policy) is default
