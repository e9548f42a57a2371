"""The loop that is lent to one runner after the other must look new to each."""

import asyncio
import concurrent.futures
import gc
import os
import signal
import socket
import sys
import tempfile
import weakref
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from tdd_monitor.testing.connections import kept_loop
from tdd_monitor.testing.connections.kept_loop import KeptLoop, LoopKeeper, kept_loop_policy

from .conftest import Run


@pytest.fixture
def loop() -> Iterator[KeptLoop]:
    loop = KeptLoop()
    yield loop
    loop.close_for_good()


def run(loop: KeptLoop, work: object) -> object:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work)  # type: ignore[arg-type]


def test_runners_close_it_and_the_next_can_use_it(loop: KeptLoop) -> None:
    async def work() -> tuple[object, int]:
        return await asyncio.to_thread(lambda: "from a thread"), await asyncio.sleep(0, 7)

    assert [run(loop, work()) for _ in range(3)] == [("from a thread", 7)] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="the command is of Unix")
def test_each_runner_can_start_processes(loop: KeptLoop) -> None:
    async def work() -> int:
        return await (await asyncio.create_subprocess_exec("true")).wait()

    assert [run(loop, work()) for _ in range(2)] == [0, 0]


def test_what_one_test_leaves_does_not_reach_the_next(loop: KeptLoop) -> None:
    happened: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            happened.append("task was cancelled")

    async def generate() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            happened.append("generator was closed")

    generator = generate()

    async def leave() -> None:
        asyncio.get_running_loop().call_later(60, happened.append, "late call")
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        asyncio.get_running_loop().set_task_factory(lambda loop, coro, **_: asyncio.Task(coro, loop=loop))
        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: None)
        endless_task = asyncio.create_task(endless())
        await anext(generator)
        assert not endless_task.done()

    run(loop, leave())
    assert not loop._scheduled
    run(loop, asyncio.sleep(0))
    assert happened == ["task was cancelled", "generator was closed"]
    assert loop.get_exception_handler() is None
    assert loop.get_task_factory() is None
    if sys.platform != "win32":
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_afterwards_it_is_as_a_new_one(loop: KeptLoop) -> None:
    """Everything that a loop has, also what a later Python may add."""

    async def use_everything() -> None:
        here = asyncio.get_running_loop()
        listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        await here.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
        here.call_later(60, print).cancel()
        here.call_later(60, print)
        await here.run_in_executor(None, print)
        here.set_debug(True)
        here.slow_callback_duration = 7
        here.time = lambda: 0.0  # type: ignore[method-assign]
        generator = endless()
        await anext(generator)
        if sys.platform != "win32":
            left.append(await asyncio.start_unix_server(lambda *_: None, str(left[0])))
            await here.connect_read_pipe(asyncio.Protocol, os.fdopen(os.dup(pair[1].fileno()), "rb"))
            here.add_signal_handler(signal.SIGUSR1, print)
            here.add_reader(pair[0], print)
            here.set_default_executor(concurrent.futures.ThreadPoolExecutor())
        left.extend([listener, reader, writer, generator])

    async def endless() -> AsyncIterator[int]:
        while True:
            yield 1

    with tempfile.TemporaryDirectory() as directory:
        left: list[Any] = [Path(directory) / "socket"]
        pair = socket.socketpair()
        new = {name: state_of(value) for name, value in vars(loop).items()}
        run(loop, use_everything())
        assert {name: state_of(value) for name, value in vars(loop).items()} == new
        assert [key.fd for key in loop._selector.get_map().values()] == [loop._ssock.fileno()]
        run(loop, asyncio.sleep(0))
        for end in pair:
            end.close()
        left.clear()
        gc.collect()  # what warns that it was not closed does so here


def state_of(value: object) -> object:
    """What can be compared before and after: containers by their contents."""
    if isinstance(value, weakref.WeakValueDictionary):
        return "transports that their owners may keep"
    return list(value) if isinstance(value, Collection) else value


PORT = """
import asyncio, pytest

async def listen():
    await asyncio.start_server(lambda *_: None, "127.0.0.1", PORT)

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(3))
async def test_listen(FIXTURE, n):
    await listen()

@pytest.mark.asyncio
async def test_one_connection(FIXTURE):
    if FIXTURE:
        assert await FIXTURE.connection.fetchval("SELECT 1") == 1
"""


@pytest.mark.parametrize("fixture", ["pytestconfig", "tdd_test_context"])
def test_a_listener_that_a_test_has_left_open_does_not_hinder_the_next(run_pytest: Run, fixture: str) -> None:
    """As under plain pytest-asyncio, which has a new loop for each test."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    source = PORT.replace("PORT", str(port)).replace("FIXTURE", fixture)
    source = source.replace("if pytestconfig", "if False")
    result = run_pytest("-W", "ignore", test_it=source)
    assert "4 passed" in result.stdout, result.stdout


POOL = """
import asyncio, pytest

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(4))
async def test_pool(optimized_connection_pool, tdd_test_context, n):
    async with optimized_connection_pool.acquire() as one, optimized_connection_pool.acquire() as two:
        backends.append({one.get_server_pid(), two.get_server_pid()})
    backends_of_context.add(tdd_test_context.connection.get_server_pid())
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)

backends, backends_of_context = [], set()

def test_they_stay_open():
    assert backends == [backends[0]] * 4
    assert len(backends_of_context) == 1
"""


def test_our_own_connections_stay_open(run_pytest: Run) -> None:
    result = run_pytest("-W", "ignore", test_it=POOL)
    assert "5 passed" in result.stdout, result.stdout


def test_it_cannot_be_closed_while_it_runs(loop: KeptLoop) -> None:
    async def close() -> None:
        asyncio.get_running_loop().close()

    with pytest.raises(RuntimeError):
        run(loop, close())


def test_it_knows_the_task_that_came_from_outside(loop: KeptLoop) -> None:
    async def is_root() -> bool:
        return asyncio.current_task() is loop.root_task

    async def both() -> list[bool]:
        return [await is_root(), await asyncio.create_task(is_root())]

    assert run(loop, both()) == [True, False]


def test_while_it_is_in_use_others_get_ordinary_loops() -> None:
    keeper = LoopKeeper()
    kept, other = keeper.acquire(), keeper.acquire()
    assert isinstance(kept, KeptLoop)
    assert not isinstance(other, KeptLoop)
    other.close()
    kept.close()
    assert keeper.acquire() is kept
    kept.close()
    keeper.close(lambda: asyncio.sleep(0))
    assert kept.is_closed()


def test_runners_that_take_no_factory_get_it_by_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-asyncio before 1.4."""
    monkeypatch.setattr(kept_loop, "keeper", LoopKeeper())
    policy = kept_loop_policy()
    kept, other = policy.new_event_loop(), policy.new_event_loop()
    assert isinstance(kept, KeptLoop)
    assert not isinstance(other, KeptLoop)
    other.close()
    kept.close()
    assert policy.new_event_loop() is kept
    kept.close_for_good()
