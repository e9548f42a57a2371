"""An event loop that outlives the runners to which it is lent, so that connections can stay open.

pytest-asyncio gives each test a loop of its own and closes it afterwards; a connection dies with its loop.
Here closing only tidies up: the next test gets the same loop, as empty as a new one.
"""

import asyncio
import contextlib
import os
import warnings
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

# Subprocesses and pipes need the proactor on Windows; it is also the default there.
_Base: Any = getattr(asyncio, "ProactorEventLoop", asyncio.SelectorEventLoop)


class KeptLoop(_Base):  # type: ignore[misc]
    """A loop for one runner after the other. `root_task` is the task that the runner itself has started."""

    is_kept = True
    _default_executor: Any

    def __init__(self) -> None:
        super().__init__()
        self.lent = False
        self._root: weakref.ref[asyncio.Task[Any]] | None = None
        self._closed_for_good = False

    @property
    def root_task(self) -> "asyncio.Task[Any] | None":
        """The task that runs the test or fixture, as opposed to tasks that these have started."""
        return self._root() if self._root is not None else None

    def create_task(self, coro: "Coroutine[Any, Any, Any]", **options: Any) -> "asyncio.Task[Any]":
        """As usual; notes which task comes from outside."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        if not self.is_running():
            self._root = weakref.ref(task)
        return task

    def close(self) -> None:
        """Forget what the test has left on the loop, as closing would; runners have cancelled its tasks."""
        if self._closed_for_good:
            return
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        # The same names since Python 3.4; tests/testing/test_kept_loop.py watches over them.
        self._ready.clear()
        self._scheduled.clear()
        for number in list(getattr(self, "_signal_handlers", ())):
            self.remove_signal_handler(number)
        if self._default_executor is not None:
            self._default_executor.shutdown(wait=False)
            self._default_executor = None
        self._executor_shutdown_called = False
        self._asyncgens_shutdown_called = False
        self.set_exception_handler(None)
        self.set_task_factory(None)
        self.slow_callback_duration = 0.1
        self._root = None
        self.lent = False

    def close_for_good(self) -> None:
        """Close as any other loop."""
        self._closed_for_good = True
        super().close()


class LoopKeeper:
    """Owns the kept loop of the process; use `keeper`."""

    def __init__(self) -> None:
        self._loop: KeptLoop | None = None
        self._of_parent: KeptLoop | None = None

    def lend(
        self, ordinary: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    ) -> asyncio.AbstractEventLoop:
        """Return the kept loop, or an ordinary one while it is lent: a factory for `asyncio.Runner`."""
        if self._loop is None:
            self._loop = KeptLoop()
        if self._loop.lent:
            return ordinary()
        self._loop.lent = True
        return self._loop

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something on the kept loop between tests; nothing when it does not exist or is at work."""
        if self._loop is not None and not self._loop.is_running():
            self._loop.run_until_complete(work())

    def close(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let `work` close what lives on the loop, then close the loop."""
        loop, self._loop = self._loop, None
        if loop is None or loop.is_running():
            return
        with contextlib.suppress(Exception):
            loop.run_until_complete(work())
        loop.close_for_good()

    def forget(self) -> None:
        """Leave the loop to the parent of a forked child, without collecting it."""
        self._of_parent, self._loop = self._loop, None


keeper = LoopKeeper()


def lending_policy() -> Any:
    """Return asyncio's default policy, but that the first loop that it makes is the kept one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.14 and later

        class LendingPolicy(asyncio.DefaultEventLoopPolicy):
            def new_event_loop(self) -> asyncio.AbstractEventLoop:
                return keeper.lend(super().new_event_loop)

        return LendingPolicy()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=keeper.forget)
