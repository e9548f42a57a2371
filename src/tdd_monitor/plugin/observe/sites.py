"""Finds where in the user's code a connection was acquired."""

import sys
from types import FrameType
from typing import Dict, Iterator, Optional, Tuple

Site = Tuple[str, int]
NOWHERE: Site = ("", 0)

_DEPTH = 100
_OWN = __name__.rpartition(".plugin")[0]
_DRIVERS = ("asyncpg", "psycopg", "psycopg_pool", "sqlalchemy", "greenlet", _OWN)
_libraries: Tuple[str, ...] = ()
_kinds: Dict[str, int] = {}

_DRIVER, _LIBRARY, _USER = range(3)


def call_site(frame: Optional[FrameType]) -> Site:
    """File and line of the innermost frame in the user's code, else in any library but the driver."""
    fallback: Optional[Site] = None
    greenlet_parents = _greenlet_parents()
    for _ in range(_DEPTH):
        if frame is None:
            frame = next(greenlet_parents, None)
        if frame is None:
            break
        file = frame.f_code.co_filename
        kind = _kinds.get(file)
        if kind is None:
            kind = _kinds[file] = _kind(file, frame.f_globals.get("__name__", ""))
        if kind == _USER:
            return file, frame.f_lineno
        if kind == _LIBRARY and fallback is None:
            fallback = (file, frame.f_lineno)
        frame = frame.f_back
    return fallback or NOWHERE


def _greenlet_parents() -> Iterator[FrameType]:
    """Frames from which the current greenlets were entered: SQLAlchemy runs async code in one."""
    greenlet = sys.modules.get("greenlet")
    current = greenlet.getcurrent() if greenlet is not None else None
    while current is not None:
        current = current.parent
        if current is not None and current.gr_frame is not None:
            yield current.gr_frame


def _kind(file: str, module: str) -> int:
    global _libraries
    if not _libraries:
        import sysconfig

        paths = sysconfig.get_paths()
        _libraries = tuple({paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")})
    if module.partition(".")[0] in _DRIVERS or module.startswith(_OWN + "."):
        return _DRIVER
    if file.startswith(("<", *_libraries)) or "site-packages" in file or file.startswith(sys.prefix + "/lib"):
        return _LIBRARY
    return _USER
