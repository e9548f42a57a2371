"""Options that several commands share, and the settings, target and recorder made from them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from tdd_monitor.config import Settings
from tdd_monitor.history.recording import Recorder, RecordingError
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.pytest_process.interpreter import InterpreterError, find_python
from tdd_monitor.runner.pytest_process.launch import Target

from .errors import UsageError


class PytestCommand(click.Command):
    """A command that passes everything after the first `--` to pytest unchanged.

    click would mix it with the paths and drop the `--`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set pytest's arguments aside for `pytest_arguments`."""
        if "--" in args:
            cut = args.index("--")
            ctx.meta["pytest_args"] = args[cut + 1 :]
            args = args[:cut]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Add pytest's arguments to the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- PYTEST ARGS...]"]


def pytest_arguments() -> list[str]:
    """The arguments after `--` on the current command line."""
    arguments: list[str] = click.get_current_context().meta.get("pytest_args", [])
    return arguments


def pytest_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Paths, pytest's arguments, the interpreter, recording, memory mode."""
    decorators = (
        click.argument("paths", nargs=-1),
        click.option(
            "--python", default="", help="Python interpreter or virtual environment to run the tests with."
        ),
        click.option(
            "--record",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Record the event stream to FILE.",
        ),
        click.option(
            "--memory",
            type=click.Choice(["rss", "tracemalloc", "gc"]),
            default="rss",
            show_default=True,
            help="How to measure memory: rss costs nothing; gc adds about 1 ms per test; tracemalloc "
            "tracks Python objects and makes tests about 3 times slower.",
        ),
    )
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def make_engine(
    settings: Settings,
    paths: Sequence[str],
    python: str = "",
    record: Path | None = None,
    memory: str = "rss",
    watch: bool = False,
    cwd: Path | None = None,
) -> Engine:
    """Create the engine for the current command. Raises UsageError for invalid input."""
    cwd = cwd or Path.cwd()
    paths = tuple(paths) or settings.paths
    for path in paths:
        if not (cwd / path.partition("::")[0]).exists():
            raise UsageError(f"{path} not found in {cwd}. Put options for pytest after '--'.")
    try:
        interpreter = find_python(python or settings.python, settings.root)
        recorder = Recorder(record) if record else None
    except (InterpreterError, RecordingError) as error:
        raise UsageError(str(error)) from error
    arguments = (*settings.pytest_args, *pytest_arguments())
    target = Target(interpreter, cwd, paths, arguments, memory)
    return Engine(settings, target, recorder, watch)
