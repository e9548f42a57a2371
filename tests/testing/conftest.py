"""The toolkit on the real embedded server, and a second connection that looks for left-overs."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tdd_monitor.testing import get_database_manager
from tdd_monitor.testing.postgres import stop_server

PLUGIN = "tdd_monitor.testing.pytest_plugin.database"

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Look = Callable[..., Awaitable[Any]]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin(PLUGIN)


@pytest.fixture
async def look() -> Look:
    """Ask the database of this process something, on another connection that is closed at once."""

    async def ask(query: str, *values: object) -> Any:
        connection = await asyncpg.connect(get_database_manager().database().url)
        try:
            return await connection.fetchval(query, *values)
        finally:
            await connection.close()

    return ask


@pytest.fixture
async def guests(look: Look) -> AsyncIterator[str]:
    """A table with one committed row, in the database of this process."""
    await look("CREATE TABLE guests (name text UNIQUE)")
    await look("INSERT INTO guests VALUES ('Ada')")
    yield "guests"
    await look("DROP TABLE IF EXISTS guests")


@pytest.fixture
def quick_collections() -> Iterator[None]:
    """Leave what earlier tests have allocated out of garbage collections, which take 0.1 s otherwise."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def run_pytest(tmp_path: Path) -> Iterator[Run]:
    """Run pytest in a process of its own on a project of files given as name=text."""

    def run(*arguments: str, **files: str) -> "subprocess.CompletedProcess[str]":
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        (tmp_path / "pytest.ini").touch()
        # Not a worker of ours, whatever runs us.
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_X", "PYTHONDONT"))
        }
        command = [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, env=environment
        )

    yield run


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which no server ever ran."""
    # Not tmp_path: as root that is below a 0700 directory, where the server's account cannot go.
    cache = Path(tempfile.mkdtemp(prefix="tdd-cache-"))
    cache.chmod(0o711)
    monkeypatch.setenv("TDD_MONITOR_CACHE_DIR", str(cache))
    yield
    stop_server()
    shutil.rmtree(cache)
