import json
import subprocess
import sys
from pathlib import Path


def test_bench_measures_every_operation_on_a_real_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tdd_monitor", "bench", "--runs", "0.1", "--json", "out.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    document = json.loads((tmp_path / "out.json").read_text())
    assert list(document["measurements"]) == list(document["targets"])
    assert len(document["measurements"]) == 6
    for name, values in document["measurements"].items():
        assert values["count"] >= 2 and 0 < values["min"] <= values["p95"] <= values["max"], name
    assert document["measurements"]["parallel_execution"]["parallel_efficiency"] > 1
    assert document["summary"]["recommendation"] in done.stdout


def test_bench_says_when_there_is_no_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tdd_monitor", "bench", "--against", "postgresql://localhost:1/none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert "no server to measure" in done.stderr
