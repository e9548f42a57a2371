"""The command and environment that run pytest with the plugin."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tdd_monitor

_COMMAND_LINE_LIMIT = 30_000  # characters; Windows takes 32,767
_BOOTSTRAP = Path(tdd_monitor.__file__).resolve().parent / "plugin" / "bootstrap.py"


@dataclass(frozen=True, slots=True)
class Target:
    """What is run: pytest's paths and arguments, the interpreter, the directory it starts in."""

    python: str
    cwd: Path
    paths: tuple[str, ...] = ()
    pytest_args: tuple[str, ...] = ()
    memory_mode: str = "rss"
    repeat: int = 1  # how often each test runs, one time after the other


def pytest_command(python: str, arguments: Sequence[str], directory: Path) -> list[str]:
    """`python -m pytest ARGUMENTS` with the plugin, which a bootstrap script loads: sys.path stays as it is.

    Arguments that are too long for a command line or contain NUL are passed in a file in `directory`: pytest
    itself reads argument files only since 8.2.
    """
    if sum(map(len, arguments)) < _COMMAND_LINE_LIMIT and not any("\0" in argument for argument in arguments):
        return [python, str(_BOOTSTRAP), *arguments]
    file = directory / "arguments.json"
    file.write_text(json.dumps(list(arguments)), encoding="utf-8")
    return [python, str(_BOOTSTRAP), f"--arguments-from={file}"]


def environment(address: str, token: str, run: str, target: Target) -> dict[str, str]:
    """The environment of the test process; the plugin removes our variables before any test sees them."""
    return {
        **os.environ,
        "TDD_MONITOR_ADDRESS": address,
        "TDD_MONITOR_TOKEN": token,
        "TDD_MONITOR_RUN": run,
        "TDD_MONITOR_MEMORY": target.memory_mode,
        **({"TDD_MONITOR_REPEAT": str(target.repeat)} if target.repeat > 1 else {}),
    }
