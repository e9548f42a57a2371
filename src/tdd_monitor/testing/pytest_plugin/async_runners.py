"""Lets our asynchronous fixtures run under pytest-asyncio (any mode, any loop scope) and under anyio.

Both examine fixtures in `pytest_fixture_setup`. Our hook runs before theirs and sets what the user would
otherwise have to configure.
"""

import inspect
import types
import warnings
from collections.abc import Callable, Generator
from typing import Any

import pytest

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.testing.limits import limited

_NO_KEPT_LOOP = "each test opens a connection"
_RUNNER = "_function_scoped_runner"  # its fixture, for the loop of one test
_FACTORY = "_asyncio_loop_factory"  # its fixture, since 1.4, for the user's own kind of loop
_POLICY = "event_loop_policy"


_marked: dict[tuple[Any, str | None], Any] = {}
_runners: set[str] = set()  # pytest-asyncio's fixtures seen so far


def set_up(
    fixturedef: Any, request: Any, fixtures: frozenset[str], pools: frozenset[str]
) -> Generator[None, object, object]:
    """Wrap the setup of pytest-asyncio's runner, or of a fixture of ours that runs on a loop.

    `fixtures` are the names of those; some of them are `pools`.
    """
    if hasattr(fixturedef.func, "plain"):
        return (yield from _for_the_runner_of_the_test(fixturedef, request))
    names = request.fixturenames
    if fixturedef.argname in fixtures or fixtures.isdisjoint(names):
        return (yield)  # a pool, a fixture of the user's under the name of one of ours, a test without any
    runner = yield from _with_kept_loop(fixturedef)
    for name in pools.intersection(names):
        _warm_up(request.getfixturevalue(name), runner)
    return runner


def _with_kept_loop(fixturedef: Any) -> Generator[None, object, object]:
    """Offer our loop where pytest-asyncio would use asyncio's default."""
    from tdd_monitor.testing.connections.kept_loop import keeper, kept_loop_policy

    make = fixturedef.func
    _runners.add(fixturedef.argname)

    def make_with_kept_loop(**values: Any) -> Generator[Any, None, None]:
        if values.get(_FACTORY) is None and _is_default(values.get(_POLICY)):
            if _FACTORY in values:
                values[_FACTORY] = keeper.acquire
            elif _POLICY in values:
                values[_POLICY] = kept_loop_policy()
            else:
                _lose(_NO_KEPT_LOOP, _FACTORY)
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
    function, item = fixturedef.func.plain, request.node
    loop_scope = _loop_scope(item)
    if loop_scope is None and "anyio_backend" in request.fixturenames:
        _refuse_trio(request)
        fixturedef.func = function  # without the mark, else pytest-asyncio would claim it before anyio
    elif not request.config.pluginmanager.has_plugin("asyncio"):
        pytest.fail(
            f"{fixturedef.argname} needs pytest-asyncio or anyio; plain tests use tdd_sync_context.",
            pytrace=False,
        )
    else:
        # It stays marked: in strict mode pytest-asyncio checks again when it calls the test.
        fixturedef.func = _as_pytest_asyncio_marks_it(function, loop_scope)
        value = yield
        if loop_scope == "function" and _RUNNER not in _runners:
            _lose(_NO_KEPT_LOOP, _RUNNER)
        return value
    return (yield)


def _loop_scope(item: Any) -> str | None:
    """The scope of an asynchronous test's loop, None for other tests; in auto mode it is marked too."""
    mark = item.get_closest_marker("asyncio")
    if mark is None or not inspect.iscoroutinefunction(inspect.unwrap(item.obj)):
        return None
    scope = mark.kwargs.get("loop_scope") or mark.kwargs.get("scope")
    try:
        return str(scope or item.config.getini("asyncio_default_test_loop_scope"))
    except (KeyError, ValueError):  # before 0.26 there was no such option
        return "function"


def _as_pytest_asyncio_marks_it(function: Any, loop_scope: str | None) -> Any:
    marked: Any = _marked.get((function, loop_scope))
    if marked is None:
        import pytest_asyncio

        marked = types.FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        marked.__doc__ = function.__doc__
        marked.plain = function
        decorator: Callable[..., Any] = pytest_asyncio.fixture
        decorator(loop_scope=loop_scope)(marked)  # what it returns is for modules; the function has the mark
        _marked[function, loop_scope] = marked
    return marked


def _lose(what: str, name: str) -> None:
    compat = Compat("pytest_asyncio")
    compat.lose(what, [f"plugin.{name}"])
    limited(compat)


def _refuse_trio(request: Any) -> None:
    backend = request.getfixturevalue("anyio_backend")
    name = backend if isinstance(backend, str) else backend[0]
    if name != "asyncio":
        pytest.skip(f"{request.fixturename} needs asyncio, as asyncpg does; this is the variant on {name}")


def _is_default(policy: object) -> bool:
    """Return whether the policy is asyncio's default."""
    import asyncio

    with warnings.catch_warnings():
        # Policies are deprecated in Python 3.14 and removed in 3.16. Then the default always applies.
        warnings.simplefilter("ignore", DeprecationWarning)
        default = getattr(asyncio, "DefaultEventLoopPolicy", None)
        if policy is None and default is not None:
            policy = asyncio.get_event_loop_policy()
    return default is None or type(policy) is default
