"""What the toolkit calls its databases, and what a name says about its owner."""

import hashlib
import re

TEMPLATES = "tdd_template_"
_SPARES = "tdd_spare_"
_OWN = re.compile(r"tdd_(?!spare_|template_)\w+_(\d+)_(\d+)_\d+")


def own(worker: str, pid: int, made_s: int, number: int) -> str:
    """A database of one process, which drops it."""
    return f"tdd_{worker}_{pid}_{made_s}_{number}"


def template(schema_hash: str) -> str:
    """A database that holds a schema for all processes and later runs."""
    return TEMPLATES + schema_hash


def kind(template: str, settings: tuple[tuple[str, str], ...]) -> str:
    """The same for databases with the same contents."""
    return hashlib.sha256(repr((template, settings)).encode()).hexdigest()[:12]


def spares(kind: str) -> str:
    """How the names of ready databases of a kind begin; they belong to nobody."""
    return f"{_SPARES}{kind}_" if kind else _SPARES


def is_orphan(name: str) -> bool:
    """Tell whether the process that has made this database is gone."""
    match = _OWN.fullmatch(name)
    if match is None:
        return False
    import psutil

    pid, made_s = int(match[1]), int(match[2])
    try:
        # A process that began later has only inherited the number.
        return bool(psutil.Process(pid).create_time() > made_s + 2)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
