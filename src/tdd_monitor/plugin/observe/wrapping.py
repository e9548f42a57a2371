"""Wraps driver functions in hooks that callers do not notice.

A wrapper preserves the kind of function (plain, coroutine, generator, context manager), its signature and
when it raises. It is therefore compiled with the same parameters: an `async def` with `*args` would accept
wrong arguments until awaited. Errors in a hook never reach the caller.
"""

import contextlib
import functools
import inspect
import sys
from types import CodeType
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

# Called with the object and the first argument; returns a token, or None to skip this call.
Begin = Callable[[Any, Any], Any]
# Called with the token and the result; None for an error.
End = Callable[[Any, Any], None]
Fault = Callable[[BaseException], None]


def nothing(token: Any, result: Any) -> None:
    """The `End` of hooks that have only a `Begin`."""


class Hooks(NamedTuple):
    """Callbacks before and after a call, and for their failures."""

    begin: Begin
    end: End
    fault: Fault


class Wrapped(NamedTuple):
    """A function that was replaced."""

    owner: Any
    name: str
    original: Any


# Everything that was replaced; tests check each wrapper against its original.
replaced: List[Wrapped] = []

_BEGIN = """
    __tracebackhide__ = True
    try:
        _tdd_token = _tdd_begin({owner}, {first})
    except Exception as _tdd_error:
        _tdd_token = None
        _tdd_fault(_tdd_error)
"""
_END = """
        try:
            _tdd_end(_tdd_token, _tdd_result)
        except Exception as _tdd_error:
            _tdd_fault(_tdd_error)
"""
_FUNCTION = (
    """
{kind}def {name}({parameters}):"""
    + _BEGIN
    + """
    if _tdd_token is None:
        return {wait}_tdd_method({passed})
    _tdd_result = None
    try:
        _tdd_result = {wait}_tdd_method({passed})
        return _tdd_result
    finally:
"""
    + _END
)
_GENERATOR = (
    """
def {name}({parameters}):"""
    + _BEGIN
    + """
    _tdd_rows = _tdd_method({passed})
    return (yield from (_tdd_rows if _tdd_token is None else _tdd_timed(_tdd_rows, _tdd_token)))
"""
)
# PEP 380 spelled out: asynchronous generators have no `yield from`.
_ASYNC_GENERATOR = (
    """
async def {name}({parameters}):"""
    + _BEGIN
    + """
    _tdd_rows, _tdd_result = _tdd_method({passed}), None
    try:
        try:
            _tdd_row = await _tdd_first(_tdd_rows)
        finally:
            if _tdd_token is not None:
                try:
                    _tdd_end(_tdd_token, None)
                except Exception as _tdd_error:
                    _tdd_fault(_tdd_error)
        while True:
            try:
                _tdd_sent = yield _tdd_row
            except GeneratorExit:
                await _tdd_rows.aclose()
                raise
            except BaseException as _tdd_error:
                _tdd_row = await _tdd_rows.athrow(_tdd_error)
            else:
                _tdd_row = await _tdd_rows.asend(_tdd_sent)
    except StopAsyncIteration:
        return
"""
)
_AROUND_RESULT = """
def {name}({parameters}):
    __tracebackhide__ = True
    return _tdd_around(_tdd_method({passed}), {owner}, {first})
"""


_ANY = ("*args, **kwargs", "*args, **kwargs", "", "")  # for functions not written in Python
_AWAITABLE = _AROUND_RESULT.replace("_tdd_method({passed})", "_tdd_unawaited(_tdd_method({passed}))")


def wrap(owner: Any, name: str, hooks: Hooks) -> None:
    """Replace `owner.name`. Raises AttributeError if it does not exist."""
    method = getattr(owner, name)
    setattr(owner, name, wrapper(method, hooks))
    replaced.append(Wrapped(owner, name, method))


def wrapper(method: Any, hooks: Hooks) -> Any:
    """Return a function that behaves like `method` and calls the hooks."""
    template, extras = _shape(method, hooks)
    names = {
        "__name__": __name__,  # so that call_site() skips these frames
        "_tdd_method": method,
        "_tdd_begin": hooks.begin,
        "_tdd_end": hooks.end,
        "_tdd_fault": hooks.fault,
        **extras,
    }
    code = getattr(method, "__code__", None)
    parameters, passed, first, second = _declared(code) if isinstance(code, CodeType) else _ANY
    text = template.format(
        name=method.__name__ if method.__name__.isidentifier() else "call",
        parameters=parameters,
        passed=passed,
        owner=first or "(args or (None,))[0]",
        first=second or "None",
    )
    exec(compile(text, "<tdd-monitor around %s>" % method.__qualname__, "exec"), names)
    replacement = names[method.__name__]
    replacement.__defaults__ = getattr(method, "__defaults__", None)
    replacement.__kwdefaults__ = getattr(method, "__kwdefaults__", None)
    return functools.update_wrapper(replacement, method)


def _shape(method: Any, hooks: Hooks) -> Tuple[str, Dict[str, Any]]:
    kind = _kind(method)
    if kind is not _plain:
        return _TEMPLATES[kind], {
            "_tdd_first": _first,
            "_tdd_timed": functools.partial(_TimedRows, hooks),
        }
    # A decorator's plain function may return the coroutine, generator or manager of the one inside.
    inner = inspect.unwrap(method)
    template, around = _AROUND.get(_kind(inner), (_TEMPLATES[_plain], None))
    extras = {"_tdd_unawaited": _Unawaited}
    return template, extras if around is None else {**extras, "_tdd_around": around(inner, hooks)}


def _plain(method: Any) -> bool:
    return True


def _kind(method: Any) -> Callable[[Any], bool]:
    return next(kind for kind in _TEMPLATES if kind(method))


def _declared(code: CodeType) -> Tuple[str, str, str, str]:
    """Parameters as declared and as passed on, and the names of the first and second."""
    count, names = code.co_argcount, code.co_varnames
    positional = list(names[:count])
    named = list(names[count : count + code.co_kwonlyargcount])
    rest = iter(names[count + code.co_kwonlyargcount :])
    declared, passed = list(positional), list(positional)
    if code.co_posonlyargcount:
        declared.insert(code.co_posonlyargcount, "/")
    if code.co_flags & inspect.CO_VARARGS:
        declared.append("*" + next(rest))
        passed.append(declared[-1])
    elif named:
        declared.append("*")
    declared += named
    passed += ["%s=%s" % (name, name) for name in named]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        declared.append("**" + next(rest))
        passed.append(declared[-1])
    first, second = [*positional, "", ""][:2]
    return ", ".join(declared), ", ".join(passed), first, second


class _TimedRows:
    """An iterator whose first step ends the measurement: the caller sets the pace of later rows."""

    __slots__ = ("_hooks", "_rows", "_token")

    def __init__(self, hooks: Hooks, rows: Any, token: Any) -> None:
        self._hooks, self._rows, self._token = hooks, rows, token

    def __iter__(self) -> "_TimedRows":
        return self

    def __next__(self) -> Any:
        if self._token is None:
            return next(self._rows)
        try:
            return next(self._rows)
        finally:
            token, self._token = self._token, None
            _finish(self._hooks, token)

    def send(self, value: Any) -> Any:
        return self._rows.send(value)

    def throw(self, *error: Any) -> Any:
        return self._rows.throw(*error)

    def close(self) -> None:
        self._rows.close()


def _first(rows: Any) -> Any:
    """Start an inner generator hidden from the event loop, which must close only the outer one."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return rows.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


class _Unawaited:
    """Holds an inner coroutine and closes it unawaited: only the outer one may warn about that."""

    __slots__ = ("coroutine",)

    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine

    def __del__(self) -> None:
        self.coroutine.close()


def _awaiting(inner: Any, hooks: Hooks) -> Callable[..., Any]:
    begin, end, fault = hooks

    async def wait(pending: _Unawaited, owner: Any, first: Any) -> Any:
        __tracebackhide__ = True
        # _start and _finish inlined: every prepared statement passes here.
        try:
            token = begin(owner, first)
        except Exception as error:  # noqa: BLE001 - the hook reports it, the caller never sees it
            token = None
            fault(error)
        try:
            return await pending.coroutine
        finally:
            if token is not None:
                try:
                    end(token, None)
                except Exception as error:  # noqa: BLE001 - the hook reports it, the caller never sees it
                    fault(error)

    wait.__name__, wait.__qualname__ = inner.__name__, inner.__qualname__
    return wait


def _managing(inner: Any, hooks: Hooks) -> Callable[..., Any]:
    @contextlib.contextmanager
    def manage(manager: Any, owner: Any, first: Any) -> Any:
        __tracebackhide__ = True
        token = _start(hooks, owner, first)
        try:
            with manager as value:
                yield value
        finally:
            _finish(hooks, token)

    return manage


def _managing_async(inner: Any, hooks: Hooks) -> Callable[..., Any]:
    @contextlib.asynccontextmanager
    async def manage(manager: Any, owner: Any, first: Any) -> Any:
        __tracebackhide__ = True
        token = _start(hooks, owner, first)
        try:
            async with manager as value:
                yield value
        finally:
            _finish(hooks, token)

    return manage


_TEMPLATES: Dict[Callable[[Any], bool], str] = {
    inspect.iscoroutinefunction: _FUNCTION.replace("{kind}", "async ").replace("{wait}", "await "),
    inspect.isasyncgenfunction: _ASYNC_GENERATOR,
    inspect.isgeneratorfunction: _GENERATOR,
    _plain: _FUNCTION.replace("{kind}", "").replace("{wait}", ""),
}
_Around = Callable[[Any, Hooks], Callable[..., Any]]
_AROUND: Dict[Callable[[Any], bool], Tuple[str, Optional[_Around]]] = {
    inspect.iscoroutinefunction: (_AWAITABLE, _awaiting),
    inspect.isasyncgenfunction: (_AROUND_RESULT, _managing_async),
    inspect.isgeneratorfunction: (_AROUND_RESULT, _managing),
}


def _start(hooks: Hooks, owner: Any, first: Any) -> Any:
    try:
        return hooks.begin(owner, first)
    except Exception as error:  # noqa: BLE001 - the hook reports it, the caller never sees it
        hooks.fault(error)
        return None


def _finish(hooks: Hooks, token: Any) -> None:
    if token is None:
        return
    try:
        hooks.end(token, None)
    except Exception as error:  # noqa: BLE001 - the hook reports it, the caller never sees it
        hooks.fault(error)
