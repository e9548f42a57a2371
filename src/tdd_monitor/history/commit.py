"""The commit that is checked out, as git reports it."""

import subprocess
from pathlib import Path
from typing import NamedTuple

_TIMEOUT_S = 5.0


class Commit(NamedTuple):
    """A commit and whether files differ from it. Outside a repository, `hash` is ""."""

    hash: str = ""
    branch: str = ""
    dirty: bool = False


def checked_out(directory: Path) -> Commit:
    """The commit checked out in `directory`. Without git, or outside a repository, an empty one."""
    # One process for all three: each costs several milliseconds.
    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return Commit()
    if done.returncode:
        return Commit()
    lines = done.stdout.splitlines()
    headers = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# ") and line.count(" ") > 1)
    oid = headers.get("branch.oid", "")
    return Commit(
        hash="" if oid == "(initial)" else oid,
        branch=headers.get("branch.head", "").replace("(detached)", ""),
        dirty=any(not line.startswith("#") for line in lines),
    )
