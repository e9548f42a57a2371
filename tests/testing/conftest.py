"""The toolkit on the real embedded server, and a second connection that looks for left-overs."""

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from support.caches import new_cache

from tdd_monitor.testing import get_database_manager
from tdd_monitor.testing.postgres import acquire_server, stop_server

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


@pytest.fixture(scope="session")
def data_stock() -> Iterator[Path]:
    """The cache of a server that has run once and was shut down cleanly."""
    stock = new_cache()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TDD_MONITOR_CACHE_DIR", str(stock))
        acquire_server().close()
        stop_server()
    yield stock
    shutil.rmtree(stock)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine on which no server ever ran: its cache directory."""
    cache = new_cache()
    monkeypatch.setenv("TDD_MONITOR_CACHE_DIR", str(cache))
    yield cache
    stop_server()
    shutil.rmtree(cache)
