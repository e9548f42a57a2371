"""Separates work shared by many tests from the test in which it happens to run.

A stack, because a shared fixture may request another during its setup. CPU time, memory and statements
belong to the fixture on top; with an empty stack, to the test.
"""

import time
from typing import Any, Callable, List

from tdd_monitor.plugin.memory import Memory


class SharedWork:
    """The shared fixtures being set up or torn down, and their share of the phase.

    `charge` is called with the account of the next statements: a fixture's use, or None for the test.
    """

    def __init__(self, memory: Memory, charge: Callable[[Any], None]) -> None:
        self._memory = memory
        self._charge = charge
        self._stack: List[Any] = []
        self._since_ns = self._last_cpu_ns = self._last_rss_bytes = 0
        self.done = False  # within the attempt
        self.ns = self.cpu_ns = self.rss_delta_bytes = 0  # since `clear`

    def begin_attempt(self) -> None:
        """Reset for a new attempt."""
        if self.done or self._stack:
            self._stack.clear()
            self._charge(None)
            self.done = False
            self.clear()

    def clear(self) -> None:
        """Reset the totals once a phase has recorded them."""
        self.ns = self.cpu_ns = self.rss_delta_bytes = 0

    def begin(self, use: Any, now: Callable[[], int] = time.perf_counter_ns) -> None:
        """Start charging work to `use`, by adding to its `cpu_ns` and `rss_delta_bytes`."""
        self.done = True
        self._settle()
        outermost = not self._stack
        self._stack.append(use)
        self._charge(use)
        if outermost:
            if self._memory.python is not None:
                self._memory.python.pause()
            self._since_ns = now()

    def end(self, use: Any, now: Callable[[], int] = time.perf_counter_ns) -> None:
        """Stop charging `use`; the fixture below it on the stack is charged again."""
        ended_ns = now()
        if use not in self._stack:
            return
        self._settle()
        self._stack.remove(use)
        self._charge(self._stack[-1] if self._stack else None)
        if not self._stack:
            self.ns += ended_ns - self._since_ns
            if self._memory.python is not None:
                self._memory.python.resume()

    def _settle(self, cpu: Callable[[], int] = time.process_time_ns) -> None:
        cpu_ns, rss_bytes = cpu(), self._memory.rss()
        if self._stack:
            use = self._stack[-1]
            took_ns, kept_bytes = cpu_ns - self._last_cpu_ns, rss_bytes - self._last_rss_bytes
            if not (rss_bytes and self._last_rss_bytes):
                kept_bytes = 0
            use.cpu_ns += took_ns
            use.rss_delta_bytes += kept_bytes
            self.cpu_ns += took_ns
            self.rss_delta_bytes += kept_bytes
        self._last_cpu_ns, self._last_rss_bytes = cpu_ns, rss_bytes
