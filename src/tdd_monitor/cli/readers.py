"""Who reads what this command prints: the shell of a `$(...)`, or the program that started it."""

import contextlib
import os
import stat
import sys
from pathlib import Path


def readers_of_output() -> list[int]:
    """Return the processes that read standard output, else the parent; empty where there is none.

    Linux tells who has the other end of a pipe: the shell itself, also when a subshell or a wrapper
    stands in between that is gone in a moment.
    """
    if sys.platform == "win32":
        return []
    found = os.fstat(1)
    readers = _readers_of_pipe(found) if stat.S_ISFIFO(found.st_mode) else []
    if readers:
        return readers
    parent = os.getppid()
    # Process 1 takes over orphans; only in its own session is it somebody who may have asked.
    asked = parent > 1 or (parent == 1 and os.getsid(1) == os.getsid(0))
    return [parent] if asked else []


def _readers_of_pipe(pipe: os.stat_result) -> list[int]:
    readers = set()
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        # Processes of others, and those that end meanwhile, cannot be looked into.
        with contextlib.suppress(OSError, ValueError):
            found = entry.stat()
            if (found.st_dev, found.st_ino) == (pipe.st_dev, pipe.st_ino) and _is_reader(entry):
                readers.add(int(entry.parts[2]))
    return sorted(readers - {os.getpid()})


def _is_reader(entry: Path) -> bool:
    lines = (entry.parents[1] / "fdinfo" / entry.name).read_text().splitlines()
    flags = next(line for line in lines if line.startswith("flags:"))
    return int(flags.split()[1], 8) & os.O_ACCMODE == os.O_RDONLY
