"""A lock that processes share through a file; the kernel releases it when its holder dies."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tdd_monitor.testing.postgres import system

_PAUSE_S = 0.002


@contextmanager
def locked(path: Path, timeout_s: float = 10.0) -> Iterator[None]:
    """Hold the lock. Blocks while others hold it; raises TimeoutError after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while (descriptor := system.try_lock(path)) is None:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{path} has been locked by another process for more than {timeout_s:g} s.")
        time.sleep(_PAUSE_S)
    try:
        yield
    finally:
        system.unlock(descriptor)
