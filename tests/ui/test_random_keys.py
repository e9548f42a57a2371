"""Random keys, sizes and lines: no combination of key and state crashes the screen.

`TDD_MONITOR_DRIVES=5-2000 pytest -n 2 tests/ui/test_random_keys.py` runs further seeds.
"""

import json
import os
from collections.abc import Callable, Iterable
from random import Random

import pytest
from support import streams
from textual.pilot import Pilot

from tdd_monitor.protocol.codec import ProtocolError, decode, encode
from tdd_monitor.protocol.events import Line
from tdd_monitor.ui import actions
from tdd_monitor.ui.app import MonitorApp

MakeApp = Callable[..., MonitorApp]

FIRST, _, LAST = os.environ.get("TDD_MONITOR_DRIVES", "0-5").partition("-")
STEPS = 40
KEYS = [key for action in actions.ACTIONS for key in action.keys.split(",") if action.id != "monitor.quit"]
# Pressed more often: keys that open, close and move; and text for the filter and the palette.
OFTEN = [
    "enter",
    "enter",
    "escape",
    "G",
    "g",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "plus",
    "tab",
    "slash",
    "ctrl+p",
    "question_mark",
]
TYPED = ["a", "t", "!", "space", "backspace", "[", "delete", "home", "ctrl+a", "ctrl+k", "é", "日"]
SIZES = [
    (1, 1),
    (2, 80),
    (200, 2),
    (10, 3),
    (59, 14),
    (60, 15),
    (61, 16),
    (50, 12),
    (80, 24),
    (99, 31),
    (100, 32),
]
RUNS: list[Callable[[], Iterable[Line]]] = [
    list,
    streams.shop,
    lambda: streams.shop(stop_after=20),
    streams.rerun_failed,
    streams.xdist,
    streams.lost,
    streams.collection_errors,
    lambda: streams.ended(5),
    lambda: streams.large(300),
]
ODD = [
    "",
    " ",
    "\0",
    "\x1b[2J",
    "\u202e",
    "日本語" * 30,
    "e\u0301" * 9,
    "[b]x[/",
    "a" * 3000,
    "\n\n",
    "👩‍👩‍👧",
    "::",
    "x.py::y[z]",
]
NUMBERS = [0, -1, 1, 3, 10**6, 10**12, 2**62, -(2**62), 1 << 40]


def damaged(lines: Iterable[Line], random: Random) -> list[Line]:
    """The lines of a damaged recording: cut, duplicated, out of order, with odd values."""
    raw = [encode(line) for line in lines]
    for _ in range(len(raw) // 8):
        at = random.randrange(len(raw))
        what = random.randrange(5)
        if what == 0:
            del raw[at]
        elif what == 1:
            raw.insert(random.randrange(len(raw)), raw[at])
        elif what == 2:
            raw[at] = raw[at][: random.randrange(len(raw[at]))]
        else:
            raw[at] = (
                json.dumps(_odd(json.loads(raw[at]), random)).encode()
                if raw[at].endswith(b"}\n")
                else raw[at]
            )
    return list(_readable(raw))


def _readable(raw: list[bytes]) -> Iterable[Line]:
    for data in raw:
        try:
            line = decode(data)
        except ProtocolError:
            continue
        if line is not None:
            yield line


def _odd(value: object, random: Random) -> object:
    """The same structure with some values replaced by others of the same type."""
    if isinstance(value, dict):
        kept = ("ev", "seq", "proto")
        return {key: other if key in kept else _odd(other, random) for key, other in value.items()}
    if isinstance(value, list):
        return [_odd(other, random) for other in value] if random.random() < 0.9 else []
    if isinstance(value, bool) or random.random() < 0.7:
        return value
    if isinstance(value, str):
        return random.choice(ODD)
    return random.choice(NUMBERS) if isinstance(value, (int, float)) else value


class Drive:
    """One random session at the keyboard; `log` lists its steps."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.log: list[object] = []

    def lines(self) -> list[Line]:
        lines = list(self.random.choice(RUNS)())
        return damaged(lines, self.random) if self.random.random() < 0.5 else lines

    async def step(self, app: MonitorApp, pilot: Pilot[None], waiting: list[Line]) -> None:
        random = self.random
        what = random.random()
        if what < 0.72:
            key = random.choice(random.choice((KEYS, OFTEN, TYPED)))
            self.log.append(key)
            await pilot.press(key)
        elif what < 0.85:
            size = (
                random.choice(SIZES)
                if random.random() < 0.7
                else (random.randint(1, 200), random.randint(1, 60))
            )
            self.log.append(size)
            await pilot.resize_terminal(*size)
        else:
            count = random.randrange(1, 40)
            self.log.append(f"{min(count, len(waiting))} lines")
            app.control.play(waiting[:count])  # type: ignore[attr-defined]
            del waiting[:count]
            app._frame()
        if random.random() < 0.2:
            app.repaint()


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST)))
@pytest.mark.asyncio
async def test_nothing_crashes_the_screen(make_app: MakeApp, seed: int) -> None:
    drive = Drive(seed)
    lines = drive.lines()
    until = drive.random.randrange(len(lines) + 1)
    app = make_app(lines[:until], can_run=drive.random.random() < 0.7)
    waiting = lines[until:] + drive.lines()
    size = drive.random.choice(SIZES)
    try:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            for _ in range(STEPS):
                await drive.step(app, pilot, waiting)
    except Exception as error:
        error.add_note(f"seed {seed}, {size[0]}x{size[1]}, {until} lines, then {drive.log}")
        raise
