"""Finds why pytest died in its output: the stacks of `faulthandler`, else the last lines."""

import re
from collections.abc import Sequence

_LAST_LINES = 50
_STACK_LINES = 150
_FATAL = re.compile(r"Fatal Python error: |Windows fatal exception: ")
_TIMEOUT = re.compile(r"Timeout \(\d+:\d\d:\d\d(\.\d+)?\)!$")
_OF_STACK = re.compile(r"(Thread 0x|Current thread 0x|  File |  <no Python frame>|  \.\.\.|$)")


def crash_output(output: Sequence[str]) -> list[str]:
    """Return the lines that say why pytest died: from a fatal error on, else the last 50."""
    for number in range(len(output) - 1, -1, -1):
        if _FATAL.search(output[number]):
            # The innermost calls come first, so cut the end.
            return list(output[number : number + _STACK_LINES])
    return list(output[-_LAST_LINES:])


def timeout_stacks(output: Sequence[str]) -> list[str]:
    """Return what `faulthandler_timeout` printed while the tests ran; at most 150 lines."""
    found: list[str] = []
    within = False
    for line in output:
        start = _TIMEOUT.search(line)
        within = bool(start) or (within and _OF_STACK.match(line) is not None)
        if within:
            found.append(line[start.start() :] if start else line)  # without pytest's dots
    return found[:_STACK_LINES]
