"""Directories of dead monitors go, and nobody else's."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tdd_monitor.runner.stream import private_directory

OWNER = (
    "import time\nfrom tdd_monitor.runner.stream import private_directory\n"
    "print(private_directory.create(), flush=True)\ntime.sleep(60)\n"
)


@pytest.mark.skipif(sys.platform == "win32", reason="no flock there")
def test_only_what_a_dead_owner_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    owners = [
        subprocess.Popen([sys.executable, "-c", OWNER], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    dead, alive = (Path((owner.stdout or sys.stdin).readline().strip()) for owner in owners)
    owners[0].send_signal(signal.SIGKILL)
    owners[0].wait()
    unproved, open_to_all, elsewhere = tmp_path / "tddm-old", tmp_path / "tddm-open", tmp_path / "elsewhere"
    for directory in (unproved, open_to_all, elsewhere):
        directory.mkdir(0o700)
    for directory in (open_to_all, elsewhere):
        (directory / "owner").touch()
    open_to_all.chmod(0o777)
    (tmp_path / "tddm-link").symlink_to(elsewhere)

    own = private_directory.create()
    assert not dead.exists()
    assert all(path.exists() for path in (alive, unproved, open_to_all, elsewhere / "owner", own))
    private_directory.remove(own)
    assert not own.exists()
    owners[1].kill()
    owners[1].wait()
    for owner in owners:
        assert owner.stdout is not None
        owner.stdout.close()
