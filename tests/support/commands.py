"""The command line, in a process of its own or in this one."""

import contextlib
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from tdd_monitor.cli import main

Completed = subprocess.CompletedProcess[str]


def command(cwd: Path, *args: str) -> Completed:
    """`tdd-monitor ARGS` in `cwd`, as a shell starts it."""
    words = [sys.executable, "-m", "tdd_monitor", *args]
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def run(cwd: Path, *args: str) -> Completed:
    """`tdd-monitor run tests ARGS` in `cwd`: the command in this process, pytest in one of its own."""
    words = ["run", "tests", *args]
    with contextlib.chdir(cwd):
        result = CliRunner().invoke(main, words, catch_exceptions=False)
    return Completed(words, result.exit_code, result.stdout)
