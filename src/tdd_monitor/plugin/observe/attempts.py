"""The attempt in progress, and the owner of its statements: what the registry and its tallies share."""

import threading
from typing import Any, Dict, List


class Attempts:
    """Read and written by the hooks of the drivers, from any thread."""

    __slots__ = ("account", "lock", "number", "touched")

    def __init__(self) -> None:
        # Reentrant: a finalizer may release a connection in the middle of anything.
        self.lock = threading.RLock()
        self.number = 0
        self.account: Any = None  # whose statements these are: a shared fixture's use, None for the test
        self.touched: Dict[Any, List[Any]] = {}  # tallies in this attempt, by account

    def forget_threads(self) -> None:
        """In a forked child the lock may be held by a thread that is not there."""
        self.lock = threading.RLock()
