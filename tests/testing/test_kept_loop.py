"""The loop that is lent to one runner after the other must look new to each."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from tdd_monitor.testing import kept_loop
from tdd_monitor.testing.kept_loop import KeptLoop, LoopKeeper, lending_policy


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


def test_while_it_is_lent_others_get_ordinary_loops() -> None:
    keeper = LoopKeeper()
    kept, other = keeper.lend(), keeper.lend()
    assert isinstance(kept, KeptLoop)
    assert not isinstance(other, KeptLoop)
    other.close()
    kept.close()
    assert keeper.lend() is kept
    kept.close()
    keeper.close(lambda: asyncio.sleep(0))
    assert kept.is_closed()


def test_runners_that_take_no_factory_get_it_by_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-asyncio before 1.4."""
    monkeypatch.setattr(kept_loop, "keeper", LoopKeeper())
    policy = lending_policy()
    kept, other = policy.new_event_loop(), policy.new_event_loop()
    assert isinstance(kept, KeptLoop)
    assert not isinstance(other, KeptLoop)
    other.close()
    kept.close()
    assert policy.new_event_loop() is kept
    kept.close_for_good()
