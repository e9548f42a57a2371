"""A press or a pause of Pilot ends when the application has nothing left to do, and not before."""

import asyncio
from selectors import DefaultSelector
from socket import socketpair
from typing import Any

import pytest
from support import settling
from textual import app, pilot


async def settle() -> None:
    await settling.settle(asyncio.get_running_loop()._selector)  # type: ignore[attr-defined]


def test_pilot_and_its_keys_settle() -> None:
    assert app.wait_for_idle.__module__ == pilot.wait_for_idle.__module__ == settling.__name__  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_everything_that_is_ready_is_done() -> None:
    done = []

    async def chain(left: int) -> None:
        done.append(left)
        await asyncio.sleep(0)
        if left:
            await asyncio.create_task(chain(left - 1))

    task = asyncio.create_task(chain(500))
    await settle()
    assert task.done() and len(done) == 501


@pytest.mark.asyncio
async def test_short_timers_are_waited_for_and_long_ones_are_not() -> None:
    loop = asyncio.get_running_loop()
    fired: list[str] = []
    loop.call_later(60, fired.append, "late")
    loop.call_later(settling.SOON_S / 2, lambda: loop.call_later(settling.SOON_S / 2, fired.append, "soon"))
    await settle()
    assert fired == ["soon"]


@pytest.mark.asyncio
async def test_input_that_has_arrived_is_read_first() -> None:
    here, there = socketpair()
    read: list[bytes] = []
    with here, there:
        loop = asyncio.get_running_loop()
        loop.add_reader(here, lambda: read.append(here.recv(1)))
        there.send(b"xyz")
        await settle()
        loop.remove_reader(here)
    assert read == [b"x", b"y", b"z"]


@pytest.mark.asyncio
async def test_a_timer_that_never_ends_is_not_waited_for() -> None:
    loop = asyncio.get_running_loop()

    def again() -> None:
        loop.call_later(0.001, again)

    again()
    await settle()


@pytest.mark.asyncio
async def test_the_selector_is_as_before_afterwards() -> None:
    selector: Any = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    await settle()
    assert isinstance(selector, DefaultSelector) and "select" not in vars(selector)


def test_an_event_loop_of_another_kind_uses_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop = pytest.importorskip("uvloop")
    calls: list[float] = []

    async def original(*arguments: float) -> None:
        calls.extend(arguments)

    async def waiting() -> None:
        await settling._settling(original)(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(waiting())
    assert calls == [0]
