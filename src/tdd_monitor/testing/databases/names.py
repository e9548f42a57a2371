"""The names of the toolkit's databases, and what a name says about its owner.

On the embedded server a name contains the key of an advisory lock held by its owner's session, so the
server knows whether the owner is alive. Process ids alone do not: containers that share a home directory
have separate ones. On the user's server, names contain no such key and are never treated as orphans.
"""

import hashlib
import re
import time
from collections.abc import Set

TEMPLATES = "tdd_template_"
_SPARES = "tdd_spare_"
_OWN = re.compile(r"tdd_(?!spare_|template_)\w+_(\d+)_(\d+)_o([0-9a-f]{15})_\d+")
_WORKER_AT_MOST = 12  # a name is limited to 63 bytes


def own(worker: str, pid: int, made_s: int, key: int, number: int) -> str:
    """Name a database of one process on the embedded server; `key` is the key of its lock."""
    return f"tdd_{worker[:_WORKER_AT_MOST]}_{pid}_{made_s}_o{key:015x}_{number}"


def another(own: str) -> str:
    """Name one more database of the same owner."""
    return f"{own.rpartition('_')[0]}_{time.time_ns() % 10**9}"


def on_named_server(worker: str, key: int, number: int) -> str:
    """Name a database of one process on the user's server; only this process drops it."""
    return f"tdd_{worker[:_WORKER_AT_MOST]}_r{key:015x}_{number}"


def template(schema_hash: str) -> str:
    """Name a database that holds a schema for all processes and later runs."""
    return TEMPLATES + schema_hash


def kind(template: str, settings: tuple[tuple[str, str], ...]) -> str:
    """Return a key that is equal for databases with the same contents."""
    return hashlib.sha256(repr((template, settings)).encode()).hexdigest()[:12]


def spares(kind: str) -> str:
    """Return the name prefix of the spare databases of a kind; they have no owner."""
    return f"{_SPARES}{kind}_" if kind else _SPARES


def is_orphan(name: str, held: Set[int]) -> bool:
    """Return whether the owner's lock is free; `held` are the keys of all locks.

    A server that has just crashed has lost all locks, so the owner's process must not be alive either.
    """
    match = _OWN.fullmatch(name)
    return match is not None and int(match[3], 16) not in held and not _lives(int(match[1]), int(match[2]))


def _lives(pid: int, made_s: int) -> bool:
    import psutil

    try:
        # A process that started later has only reused the process id.
        return bool(psutil.Process(pid).create_time() <= made_s + 2)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
