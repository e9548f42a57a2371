"""`tdd-monitor watch`: the live screen."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click

from tdd_monitor.config import Settings
from tdd_monitor.runner.control import Control
from tdd_monitor.runner.signals import ending_signals

from .options import PytestCommand, UsageError, make_engine, pytest_options, settings_here

CRASHED = 70  # EX_SOFTWARE: no exit code of pytest's
TEXTUAL_CRASHED = 1  # what `App.return_code` is after an exception that nobody caught


def show(control: Control, settings: Settings) -> None:
    """Run the screen on `control` until the user quits. Raises UsageError without a terminal.

    Exits with `CRASHED` when the screen crashed, below its traceback.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The screen needs a terminal. Use 'tdd-monitor run' without one.")
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
    task = asyncio.current_task()
    assert task is not None
    leave: Callable[[], object] = task.cancel

    def end() -> None:
        leave()

    with ending_signals(end):
        try:
            await control.start()
            from tdd_monitor.ui.app import MonitorApp

            app = MonitorApp(control, settings)
            # Through its queue, to be in its own context.
            leave = lambda: app.call_later(app.hang_up if _give_up_terminal() else app.leave)  # noqa: E731
            await app.run_async()
            return app.return_code or 0
        except asyncio.CancelledError:  # asked to end before there was a screen
            return 0
        finally:
            leave = control.kill
            await _end(control)


def _give_up_terminal() -> bool:
    """True when there is no terminal any more (closed, SSH dropped); then nothing is written to it either."""
    try:
        os.tcgetpgrp(sys.__stderr__.fileno() if sys.__stderr__ else 2)
    except OSError:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            for descriptor in (1, 2):
                os.dup2(nowhere.fileno(), descriptor)
        return True
    return False


async def _end(control: Control) -> None:
    """End pytest where the screen has not done so: after a crash of it, or before there was one."""
    run = control.board.session.run
    if control.can_run and run is not None and run.active:
        with contextlib.suppress(OSError):  # the terminal may be gone
            click.echo("Waiting for pytest to exit. Press Ctrl+C to kill it.", err=True)
    with ending_signals(control.kill, signal.SIGINT):
        await control.stop()


@click.command(cls=PytestCommand)
@pytest_options
@click.option("--watch/--no-watch", "watching", default=True, help="Rerun tests when files are saved.")
def watch(paths: tuple[str, ...], python: str, record: Path | None, memory: str, watching: bool) -> None:
    """Run the tests, show them live, and rerun them on every save.

    Everything after `--` is passed to pytest: tdd-monitor watch tests/ -- -n 4 -k orders
    """
    settings = settings_here()
    show(make_engine(settings, paths, python, record, memory, watching), settings)
