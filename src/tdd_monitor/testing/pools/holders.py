"""Who holds which connection of a pool: test, time and stack of the acquisition.

Recording must be cheap, so stacks are kept as plain locations and formatted only on demand.
"""

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_STACK_DEPTH = 12
_LIBRARIES = (f"{os.sep}asyncpg{os.sep}", f"{os.sep}asyncio{os.sep}", f"{os.sep}_pytest{os.sep}")
_TOOLKIT = str(Path(__file__).parent)

Place = tuple[str, int, str]


class PoolExhaustedError(TimeoutError):
    """No connection became free in time; the message and `holders` say who holds them."""

    def __init__(self, message: str, holders: "tuple[PoolHolder, ...]" = ()) -> None:
        super().__init__(message)
        self.holders = holders


@dataclass(frozen=True)
class PoolHolder:
    """One acquired connection. `since_ns` is from `time.perf_counter_ns`; `stack` is innermost first."""

    test: str
    since_ns: int
    stack: tuple[Place, ...]

    def held_s(self, now_ns: int) -> float:
        """How long it has been held, in seconds."""
        return (now_ns - self.since_ns) / 1e9


def current_holder(now_ns: int) -> PoolHolder:
    """Return the current test and stack as a holder; call it from the coroutine that acquires."""
    frame: FrameType | None = sys._getframe(1)
    stack: list[Place] = []
    while frame is not None and len(stack) < _STACK_DEPTH:
        code = frame.f_code
        if not code.co_filename.startswith(_TOOLKIT):
            stack.append((code.co_filename, frame.f_lineno, code.co_name))
        frame = frame.f_back
    return PoolHolder(os.environ.get("PYTEST_CURRENT_TEST", "outside of a test"), now_ns, tuple(stack))


def describe_exhaustion(
    holders: Iterable[PoolHolder], max_size: int, waited_s: float, now_ns: int = 0
) -> str:
    """The text of PoolExhaustedError: who holds the connections, and what to do."""
    now_ns = now_ns or time.perf_counter_ns()
    held = sorted(holders, key=lambda holder: holder.since_ns)
    lines = [
        f"All {max_size} connections of the pool are in use; waited {waited_s:g} s for one. They are held by:"
    ]
    for number, holder in enumerate(held, 1):
        lines.append(f"  {number}. {holder.test}, for {holder.held_s(now_ns):.1f} s, acquired at")
        lines += [f"       {place}" for place in _own_places(holder.stack)]
    lines.append(
        "Release each connection with `async with pool.acquire() as connection:`, do not acquire a second"
        " one while holding the first, or raise max_size if so many are really needed at once."
    )
    return "\n".join(lines)


def describe_leak(holders: Iterable[PoolHolder]) -> str:
    """The text of the warning about leaked connections."""
    held = list(holders)
    lines = [f"{len(held)} connection(s) were never released to the pool; acquired by:"]
    for holder in held:
        lines.append(f"  {holder.test} at {next(iter(_own_places(holder.stack)), 'an unknown place')}")
    return "\n".join(lines)


def _own_places(stack: tuple[Place, ...]) -> list[str]:
    """Locations outside of libraries, innermost first, relative to the working directory."""
    here = str(Path.cwd()) + os.sep
    return [
        f"{file.removeprefix(here)}:{line} in {function}"
        for file, line, function in stack
        if not any(library in file for library in _LIBRARIES) and "site-packages" not in file
    ]
