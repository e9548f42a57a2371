"""What the toolkit calls its databases, and what a name says about its owner.

On the embedded server a name holds the key of a lock that its owner's session has: whoever sweeps there
asks the server. Process numbers alone do not tell: containers that share a home have their own.
On a server that the user named, names hold no such key, so nobody ever takes them for orphans.
"""

import hashlib
import re
from collections.abc import Set

TEMPLATES = "tdd_template_"
_SPARES = "tdd_spare_"
_OWN = re.compile(r"tdd_(?!spare_|template_)\w+_(\d+)_(\d+)_o([0-9a-f]{15})_\d+")
_WORKER_AT_MOST = 12  # of 63 bytes that a name may have


def own(worker: str, pid: int, made_s: int, key: int, number: int) -> str:
    """A database of one process on the embedded server; `key` is that of its lock."""
    return f"tdd_{worker[:_WORKER_AT_MOST]}_{pid}_{made_s}_o{key:015x}_{number}"


def on_named_server(worker: str, key: int, number: int) -> str:
    """A database of one process on a server that the user named; only this process drops it."""
    return f"tdd_{worker[:_WORKER_AT_MOST]}_r{key:015x}_{number}"


def template(schema_hash: str) -> str:
    """A database that holds a schema for all processes and later runs."""
    return TEMPLATES + schema_hash


def kind(template: str, settings: tuple[tuple[str, str], ...]) -> str:
    """The same for databases with the same contents."""
    return hashlib.sha256(repr((template, settings)).encode()).hexdigest()[:12]


def spares(kind: str) -> str:
    """How the names of ready databases of a kind begin; they belong to nobody."""
    return f"{_SPARES}{kind}_" if kind else _SPARES


def is_orphan(name: str, held: Set[int]) -> bool:
    """Tell whether nobody holds the lock of the database's owner; `held` are the keys of all locks.

    A server that has just crashed lost all locks: so a process of that number must not live here either.
    """
    match = _OWN.fullmatch(name)
    return match is not None and int(match[3], 16) not in held and not _lives(int(match[1]), int(match[2]))


def _lives(pid: int, made_s: int) -> bool:
    import psutil

    try:
        # A process that began later has only inherited the number.
        return bool(psutil.Process(pid).create_time() <= made_s + 2)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
