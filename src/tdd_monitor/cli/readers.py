"""Finds the processes that read this command's output: the shell of a `$(...)`, or the parent."""

import contextlib
import os
import stat
import sys
from pathlib import Path


def readers_of_output() -> list[int]:
    """Return the ids of the processes that read standard output, else the parent's; empty if there is none.

    On Linux, /proc shows who has the other end of a pipe: the shell itself, even with a short-lived
    subshell or wrapper in between.
    """
    if sys.platform == "win32":
        return []
    found = os.fstat(1)
    readers = _readers_of_pipe(found) if stat.S_ISFIFO(found.st_mode) else []
    if readers:
        return readers
    parent = os.getppid()
    # Process 1 adopts orphans; it can be the real parent only in its own session.
    is_caller = parent > 1 or (parent == 1 and os.getsid(1) == os.getsid(0))
    return [parent] if is_caller else []


def _readers_of_pipe(pipe: os.stat_result) -> list[int]:
    readers = set()
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        # Other users' processes and those that exit meanwhile cannot be inspected.
        with contextlib.suppress(OSError, ValueError):
            found = entry.stat()
            if (found.st_dev, found.st_ino) == (pipe.st_dev, pipe.st_ino) and _is_reader(entry):
                readers.add(int(entry.parts[2]))
    return sorted(readers - {os.getpid()})


def _is_reader(entry: Path) -> bool:
    lines = (entry.parents[1] / "fdinfo" / entry.name).read_text().splitlines()
    flags = next(line for line in lines if line.startswith("flags:"))
    return int(flags.split()[1], 8) & os.O_ACCMODE == os.O_RDONLY
