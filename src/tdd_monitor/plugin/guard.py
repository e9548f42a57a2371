"""A fault in the plugin turns it off; it never reaches pytest."""

import contextlib
import functools
from typing import Any, Callable, Optional, TypeVar

Hook = TypeVar("Hook", bound=Callable[..., Any])


class Guard:
    """Shared by all hooks of the plugin. `on_fault` is called with the first fault."""

    def __init__(self) -> None:
        self.off = False
        self.on_fault: Optional[Callable[[str], None]] = None

    def fault(self, error: BaseException) -> None:
        """Turn the plugin off; report it once."""
        if self.off:
            return
        self.off = True
        if self.on_fault is not None:
            with contextlib.suppress(Exception):  # the last line of defence
                self.on_fault(describe(error))


def describe(error: BaseException) -> str:
    """Type, message and innermost location of an error, in one line."""
    where, traceback = "", error.__traceback__
    while traceback is not None:
        where = " at %s:%d" % (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return "%s: %s%s" % (type(error).__name__, error, where)


def guarded(method: Hook) -> Hook:
    """A method of an object with a `guard`: does nothing once it is off, and contains its faults."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        guard = self.guard
        if guard.off:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the rule, for all that is not written for speed
            guard.fault(error)
            return None

    return call  # type: ignore[return-value]
