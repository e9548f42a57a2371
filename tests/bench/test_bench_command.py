import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tdd_monitor.testing.databases.server import DatabaseServer

PUBLIC = [
    "individual_test",
    "fixture_setup",
    "connection_acquire",
    "schema_operation",
    "test_cleanup",
    "parallel_execution",
]
CACHED = ["individual_test", "schema_operation", "parallel_execution"]


@pytest.fixture
def url_without_rights() -> Iterator[str]:
    """A database in which its user may do everything, on a server where he may create no other."""
    server = DatabaseServer(None)
    guest = f"bench_guest_{os.getpid()}"  # other runs share the server
    server.execute(f"CREATE ROLE {guest} LOGIN", f"CREATE DATABASE {guest} OWNER {guest}")
    yield server.url_of(guest).replace("postgres@", f"{guest}@", 1)
    server.execute(f"DROP DATABASE {guest} WITH (FORCE)", f"DROP ROLE {guest}")
    server.close()


def test_bench_leaves_the_schema_cache_out_where_no_database_may_be_made(
    tmp_path: Path, url_without_rights: str
) -> None:
    command = [sys.executable, "-m", "tdd_monitor", "bench", "--runs", "0.02", "--json", "out.json"]
    command += ["--against", url_without_rights]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert list(json.loads((tmp_path / "out.json").read_text())["measurements"]) == PUBLIC
    assert "permission denied to create database" in done.stdout


def test_bench_measures_every_operation_on_a_real_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tdd_monitor", "bench", "--runs", "0.05", "--json", "out.json"]
    command += ["--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    document = json.loads((tmp_path / "out.json").read_text())
    assert list(document["measurements"]) == list(document["targets"])
    assert list(document["measurements"]) == [*PUBLIC, *(f"{name}_cached" for name in CACHED)]
    for name, values in document["measurements"].items():
        assert values["count"] >= 2 and 0 < values["min"] <= values["p95"] <= values["max"], name
    for name in CACHED:
        cached, sibling = document["measurements"][f"{name}_cached"], document["measurements"][name]
        assert (cached["target"], cached["published"]) == (sibling["target"], sibling["published"])
        assert ("parallel_efficiency" in cached) == ("parallel_efficiency" in sibling)
    assert document["measurements"]["parallel_execution"]["parallel_efficiency"] > 1
    assert document["measurements"]["test_cleanup"]["ahead"] is None
    for name, values in document["measurements"].items():
        assert values["target_achieved"] == (values["mean"] <= values["target"]), name
    summary = document["summary"]
    assert summary["operations_tested"] == 9
    # Whatever this machine achieves: only a missed target makes --strict fail.
    assert done.returncode == (1 if summary["targets_met"] < 9 else 0), done.stderr
    assert summary["recommendation"] in done.stdout


def test_bench_reports_a_server_that_cannot_be_reached(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tdd_monitor", "bench", "--against", "postgresql://localhost:1/none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert "no server to measure" in done.stderr
