"""`tdd-monitor watch`: the live screen."""

import asyncio
import gc
import sys
from pathlib import Path

import click

from tdd_monitor.config import Settings
from tdd_monitor.runner.control import Control

from .options import PytestCommand, UsageError, make_engine, pytest_options, settings_here

CRASHED = 70  # EX_SOFTWARE: no exit code of pytest's
TEXTUAL_CRASHED = 1  # what `App.return_code` is after an exception that nobody caught


def show(control: Control, settings: Settings) -> None:
    """Run the screen on `control` until the user quits. Raises UsageError without a terminal.

    Exits with `CRASHED` when the screen crashed, below its traceback.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The screen needs a terminal. Without one use 'tdd-monitor run'.")
    # The first frame comes sooner without collections; the app switches them on again after it.
    gc.disable()
    code = asyncio.run(_show(control, settings))
    if code == TEXTUAL_CRASHED:
        click.echo("This is a bug in tdd-monitor: the screen crashed. Please report the traceback.", err=True)
        code = CRASHED
    if code:
        sys.exit(code)


async def _show(control: Control, settings: Settings) -> int:
    # pytest starts up while Textual is being imported: both take about as long.
    await control.start()
    try:
        from tdd_monitor.ui.app import MonitorApp

        app = MonitorApp(control, settings)
        await app.run_async()
        return app.return_code or 0
    finally:
        await control.stop()


@click.command(cls=PytestCommand)
@pytest_options
@click.option("--watch/--no-watch", "watching", default=True, help="Run again when files are saved.")
def watch(paths: tuple[str, ...], python: str, record: Path | None, memory: str, watching: bool) -> None:
    """Run the tests in PATHS, show them live, run again when files are saved.

    What stands behind '--' goes to pytest unchanged: tdd-monitor watch tests/ -- -n 4 -k orders
    """
    settings = settings_here()
    show(make_engine(settings, paths, python, record, memory, watching), settings)
