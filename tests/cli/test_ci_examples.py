"""The examples of docs/ci.md do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.projects import write

TEXT = (Path(__file__).parents[2] / "docs" / "ci.md").read_text()
GITHUB, GITLAB = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))


def ran(script: str, root: Path) -> subprocess.CompletedProcess[str]:
    """The script in a project of two tests, one of which fails."""
    write(root, test_it="def test_passes(): pass\ndef test_fails(): assert 1 == 2\n")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": programs, "GITHUB_STEP_SUMMARY": str(root / "summary.md")}
    return subprocess.run(
        ["bash", "-ec", script], cwd=root, env=env, capture_output=True, text=True, check=False
    )


def test_the_github_job_annotates_summarises_and_leaves_its_artifacts(tmp_path: Path) -> None:
    steps: list[dict[str, Any]] = GITHUB["jobs"]["tests"]["steps"]
    (script,) = (step["run"] for step in steps if "tdd-monitor" in step.get("run", ""))
    done = ran(script, tmp_path)
    assert done.returncode == 1, done.stderr
    assert (
        "\n::error file=tests/test_it.py,line=2,title=tests/test_it.py%3A%3Atest_fails::assert 1 == 2"
        in done.stdout
    )
    assert (tmp_path / "summary.md").read_text().startswith("## ❌ 1 failed, 1 passed")
    artifacts = steps[-1]["with"]["path"].split()
    assert artifacts and all((tmp_path / name).stat().st_size for name in artifacts)


def test_the_gitlab_job_leaves_its_artifacts(tmp_path: Path) -> None:
    job = GITLAB["tests"]
    done = ran(job["script"][-1], tmp_path)
    assert done.returncode == 1, done.stderr
    for name in (job["artifacts"]["reports"]["junit"], *job["artifacts"]["paths"]):
        assert (tmp_path / name).stat().st_size


@pytest.mark.parametrize(
    "name", [GITHUB["jobs"]["tests"]["steps"][3]["with"]["path"], *GITLAB["tests"]["cache"]["paths"]]
)
def test_the_cached_directory_is_that_of_the_history(name: str, tmp_path: Path) -> None:
    ran("tdd-monitor run tests || true", tmp_path)
    assert (tmp_path / name / "history.sqlite").exists()
