"""Environments with other Pythons and pytests, made once and kept between runs."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# What pytest 7.4 can be run with, and everything whose presence the plugin must bear.
OLDEST = ("pytest==7.4.*", "pytest-xdist>=3.5,<3.6", "pytest-rerunfailures<15", "pytest-forked")
NEWEST = (
    *("pytest", "pytest-xdist", "pytest-asyncio", "anyio", "pytest-rerunfailures", "pytest-timeout"),
    *("pytest-randomly", "pytest-cov", "pytest-django", "django", "freezegun", "time-machine"),
    *("sqlalchemy", "greenlet", "aiosqlite", "asyncpg", "psycopg[binary,pool]", "psycopg2-binary", "psutil"),
)
BARE = ("pytest", "execnet")
_RETRY_S = 600


@dataclass(frozen=True)
class Interpreter:
    """A Python with a pytest; without a `python` there is a reason."""

    python: str = ""
    reason: str = ""


@cache
def pythons() -> dict[str, str]:
    """Interpreters of this machine by version ("3.9"), on the PATH or where pyenv keeps its own."""
    found = {}
    for minor in range(9, 16):
        version = f"3.{minor}"
        kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        python = str(kept[-1]) if kept else shutil.which(f"python{version}")
        if python:
            found[version] = python
    return found


def made(version: str, requirements: tuple[str, ...], state: str = "") -> Interpreter:
    """The environment with that Python and those packages; made now, if it is not there yet.

    `state`: what else an environment depends on, if another one is needed when that changes.
    """
    base = pythons().get(version)
    if base is None:
        return Interpreter(reason=f"no Python {version} here")
    key = hashlib.sha256(repr((base, requirements, state)).encode()).hexdigest()[:12]
    place = Path(tempfile.gettempdir()) / f"tdd-monitor-test-environments-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    target, failed = place / key, place / f"{key}.failed"
    with (place / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python, whole = target / "bin" / "python", target / "whole"
        if whole.exists():
            return Interpreter(str(python))
        if failed.exists() and time.time() - failed.stat().st_mtime < _RETRY_S:
            return Interpreter(reason=failed.read_text())
        reason = _make(base, target, requirements)
        if reason:
            failed.write_text(reason)
            shutil.rmtree(target, ignore_errors=True)
            return Interpreter(reason=reason)
        whole.touch()  # whoever was interrupted before this has left half of one
        return Interpreter(str(python))


def _make(base: str, target: Path, requirements: tuple[str, ...]) -> str:
    for command in (
        [base, "-m", "venv", "--clear", str(target)],
        [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements],
    ):
        try:
            process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"cannot make an environment: {error}"
        if process.returncode:
            return f"cannot make an environment: {process.stderr.strip()[-300:]}"
    return ""
