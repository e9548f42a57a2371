"""A cache directory of its own for each test, with a data directory that is copied, not made."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tdd_monitor.testing.postgres import acquire_server, stop_server

GRACE_S = "0.2"


@pytest.fixture(scope="session")
def prepared_data() -> Iterator[Path]:
    """A cache in which initdb has run."""
    with pytest.MonkeyPatch.context() as patch:
        cache = _new_cache(patch)
        acquire_server().close()
        stop_server()
        yield cache
        shutil.rmtree(cache)


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache of a machine on which no server ever ran; nothing may be left running in it."""
    cache = _new_cache(monkeypatch)
    yield cache
    monkeypatch.setenv("TDD_MONITOR_CACHE_DIR", str(cache))
    stop_server()
    assert not processes_of(cache)
    shutil.rmtree(cache)


@pytest.fixture
def cache(empty_cache: Path, prepared_data: Path) -> Path:
    """The cache of a machine on which the server ran before."""
    copy_data(prepared_data, empty_cache)
    return empty_cache


def copy_data(source: Path, target: Path) -> None:
    """Copy the data directories with their owners, which shutil.copytree would not keep."""
    target.mkdir(mode=0o711, parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", *source.glob("postgres-*"), target], check=True)


def processes_of(directory: Path) -> list[psutil.Process]:
    """Return the supervisors and servers that work in a directory."""
    others = (each for each in psutil.process_iter(["cmdline"]) if each.pid != os.getpid())
    return [each for each in others if str(directory) in " ".join(each.info["cmdline"] or ())]


def _new_cache(patch: pytest.MonkeyPatch) -> Path:
    # Not tmp_path: as root that is below a 0700 directory, where the server's account cannot go.
    cache = Path(tempfile.mkdtemp(prefix="tdd-cache-"))
    cache.chmod(0o711)
    patch.setenv("TDD_MONITOR_CACHE_DIR", str(cache))
    patch.setenv("TDD_MONITOR_POSTGRES_GRACE_S", GRACE_S)
    return cache
