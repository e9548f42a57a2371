"""Keeps our file descriptors out of the tests' way."""

import os

_HIGHEST = 1000  # higher numbers enlarge the kernel's table, which makes every fork more expensive


def move_up(fd: int) -> int:
    """Move an open file to a high descriptor: tests close, count and reuse low ones."""
    if os.name != "posix":
        return fd
    import fcntl
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = min(limit if limit > 0 else _HIGHEST, _HIGHEST) - 16
    try:
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(lowest, 3))
    except OSError:
        return fd
    os.close(fd)
    return moved
