"""State shared by the registry and its tallies: the attempt in progress and the account of its statements."""

import threading
from typing import Any, Dict, List


class Attempts:
    """Read and written by driver hooks, from any thread."""

    __slots__ = ("account", "lock", "number", "touched")

    def __init__(self) -> None:
        # Reentrant: a finalizer may release a connection at any point.
        self.lock = threading.RLock()
        self.number = 0
        self.account: Any = None  # which statements count for: a shared fixture's use, or None for the test
        self.touched: Dict[Any, List[Any]] = {}  # tallies used in this attempt, by account

    def forget_threads(self) -> None:
        """Replace the lock in a forked child: a thread that does not exist there may hold it."""
        self.lock = threading.RLock()
