"""An event loop that outlives the runners that use it, so that connections can stay open.

pytest-asyncio gives each test its own loop and closes it afterwards; a connection dies with its loop.
Here closing drops everything but our own connections: the next test gets the same loop, as clean as
a new one.
"""

import asyncio
import contextlib
import os
import warnings
import weakref
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from tdd_monitor.plugin.compat import Compat
from tdd_monitor.testing.limits import limited

# Subprocesses and pipes need the proactor on Windows; it is also the default there.
_Base: Any = getattr(asyncio, "ProactorEventLoop", asyncio.SelectorEventLoop)


class Resident(Protocol):
    """An owner of connections on the loop that stay open from one test to the next."""

    def descriptors(self) -> Iterable[int]:
        """Return the file descriptors of their sockets."""


# The private names needed to reset a loop, by the kind of loop; only loop instances have them.
_PRIVATE = ("_ready", "_scheduled", "_default_executor")
_PRIVATE_WITH_SELECTOR = ("_selector", "_transports", "_ssock")
_PRIVATE_ON_WINDOWS = ("_stop_accept_futures",)


class KeptLoop(_Base):  # type: ignore[misc]
    """A loop reused by successive runners. `root_task` is the task started by the runner itself."""

    is_kept = True
    _default_executor: Any

    def __init__(self) -> None:
        super().__init__()
        self.in_use = False
        self._root: weakref.ref[asyncio.Task[Any]] | None = None
        self._closed_for_good = False
        self.residents: weakref.WeakSet[Resident] = weakref.WeakSet()
        self._as_new: dict[str, Any] = {**vars(self), "_as_new": {}}
        self._as_new["_as_new"] = self._as_new

    @property
    def root_task(self) -> "asyncio.Task[Any] | None":
        """The task that runs the test or fixture, as opposed to tasks that these start."""
        return self._root() if self._root is not None else None

    def absent(self) -> list[str]:
        """The private names that this version of asyncio lacks."""
        has_selector = issubclass(_Base, asyncio.SelectorEventLoop)
        of_kind = _PRIVATE_WITH_SELECTOR if has_selector else _PRIVATE_ON_WINDOWS
        return [name for name in (*_PRIVATE, *of_kind) if not hasattr(self, name)]

    def create_task(self, coro: "Coroutine[Any, Any, Any]", **options: Any) -> "asyncio.Task[Any]":
        """Create a task as usual; record one started from outside as the root task."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        if not self.is_running():
            self._root = weakref.ref(task)
        return task

    def close(self) -> None:
        """Drop what the test has left on the loop, as closing would; runners have cancelled its tasks."""
        if self._closed_for_good:
            return
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        self._drop_transports_and_files()
        for number in list(getattr(self, "_signal_handlers", ())):
            self.remove_signal_handler(number)
        if self._default_executor is not None:
            self._default_executor.shutdown(wait=False)
        # The attributes of a new loop, on any Python; containers are kept and emptied.
        for name in ("_ready", "_scheduled", "_asyncgens", "_unix_server_sockets"):
            if name in self._as_new:
                self._as_new[name].clear()
        self.__dict__.update(self._as_new)
        if len(self.__dict__) > len(self._as_new):
            for name in self.__dict__.keys() - self._as_new.keys():
                delattr(self, name)

    def _drop_transports_and_files(self) -> None:
        """Drop sockets, pipes and servers; as on a closed loop, they are freed when unreferenced."""
        if not hasattr(self, "_selector") or not hasattr(self._selector, "get_map"):
            self._stop_accept_futures()  # the Windows proactor tracks only these
            return
        watched = self._selector.get_map()
        if len(watched) == 1 and not self._transports:
            return  # only the loop's own pipe
        kept = {descriptor for resident in self.residents for descriptor in resident.descriptors()}
        kept.add(self._ssock.fileno())
        for descriptor, transport in list(self._transports.items()):
            if descriptor not in kept:
                transport.abort()  # so that it no longer touches the loop, even if still referenced
        for key in [key for key in watched.values() if key.fd not in kept]:
            self._selector.unregister(key.fileobj)

    def close_for_good(self) -> None:
        """Close like any other loop."""
        self._closed_for_good = True
        super().close()


class LoopKeeper:
    """Owns the kept loop of the process; use `keeper`."""

    def __init__(self) -> None:
        self._loop: KeptLoop | None = None
        self._cannot_be_kept = False
        self._of_parent: KeptLoop | None = None

    def acquire(
        self, ordinary: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    ) -> asyncio.AbstractEventLoop:
        """Return the kept loop, or an ordinary one while it is in use: a factory for `asyncio.Runner`."""
        if self._loop is None and not self._cannot_be_kept:
            self._loop = self._make()
        if self._loop is None or self._loop.in_use:
            return ordinary()
        self._loop.in_use = True
        return self._loop

    def _make(self) -> KeptLoop | None:
        from .asyncpg_internals import KNOWS_SOCKETS  # not before a test needs asyncpg

        self._cannot_be_kept = not KNOWS_SOCKETS
        if self._cannot_be_kept:
            return None  # nor could its connections
        loop = KeptLoop()
        if not (absent := loop.absent()):
            return loop
        loop.close_for_good()
        self._cannot_be_kept = True
        compat = Compat("asyncio")
        compat.lose("each test opens a connection", [f"{_Base.__name__}.{name}" for name in absent])
        limited(compat)
        return None

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something on the kept loop between tests; do nothing if it does not exist or is running."""
        if self._loop is not None and not self._loop.is_running():
            self._loop.run_until_complete(work())

    def close(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `work` to close what uses the loop, then close the loop."""
        loop, self._loop = self._loop, None
        if loop is None or loop.is_running():
            return
        with contextlib.suppress(Exception):
            loop.run_until_complete(work())
        loop.close_for_good()

    def forget(self) -> None:
        """In a forked child, leave the loop to the parent, without collecting it."""
        self._of_parent, self._loop = self._loop, None


keeper = LoopKeeper()


def kept_loop_policy() -> Any:
    """Return asyncio's default policy, except that the first loop it creates is the kept one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.14 and later

        class KeptLoopPolicy(asyncio.DefaultEventLoopPolicy):
            def new_event_loop(self) -> asyncio.AbstractEventLoop:
                return keeper.acquire(super().new_event_loop)

        return KeptLoopPolicy()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=keeper.forget)
