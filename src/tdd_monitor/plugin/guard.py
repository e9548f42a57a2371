"""Contains faults: one turns the plugin off and never reaches pytest."""

import contextlib
import functools
from typing import Any, Callable, Optional, TypeVar

Hook = TypeVar("Hook", bound=Callable[..., Any])


class Guard:
    """Shared by all hooks of the plugin; `on_fault` is called with the first fault."""

    def __init__(self) -> None:
        self.off = False
        self.on_fault: Optional[Callable[[str], None]] = None

    def fault(self, error: BaseException) -> None:
        """Turn the plugin off; report it once."""
        if self.off:
            return
        self.off = True
        if self.on_fault is not None:
            with contextlib.suppress(Exception):  # nothing may reach pytest
                self.on_fault(describe(error))


def describe(error: BaseException) -> str:
    """Type, message and innermost location of an error, on one line."""
    where, traceback = "", error.__traceback__
    while traceback is not None:
        where = " at %s:%d" % (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return "%s: %s%s" % (type(error).__name__, error, where)


def guarded(method: Hook) -> Hook:
    """Decorate a method of an object with a `guard`: a no-op once that is off; its faults are contained."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        guard = self.guard
        if guard.off:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the plugin's rule; hot paths follow it by hand
            guard.fault(error)
            return None

    return call  # type: ignore[return-value]
