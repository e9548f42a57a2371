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

from .errors import UsageError
from .options import PytestCommand, make_engine, pytest_options
from .project import settings_here

CRASHED = 70  # EX_SOFTWARE: pytest does not use it
TEXTUAL_CRASHED = 1  # `App.return_code` after an unhandled exception


def show(control: Control, settings: Settings) -> None:
    """Run the screen on `control` until the user quits. Raises UsageError without a terminal.

    Exits with `CRASHED` after the traceback when the screen crashed.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The screen needs a terminal. Use 'tdd-monitor run' without one.")
    if hasattr(signal, "SIGHUP"):
        # A screen ends with its terminal. If the signal stayed ignored, as after 'trap "" HUP' in the shell,
        # the closed terminal would be read for ever.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # The first frame appears sooner without garbage collection; the app re-enables it afterwards.
    gc.disable()
    code = asyncio.run(_show(control, settings))
    if code == TEXTUAL_CRASHED:
        click.echo("This is a bug in tdd-monitor: the screen crashed. Please report the traceback.", err=True)
        code = CRASHED
    if code:
        sys.exit(code)


async def _show(control: Control, settings: Settings) -> int:
    # Start pytest first: it starts up while Textual is imported, which takes about as long.
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
            # Through the app's queue, to run in its context.
            leave = lambda: app.call_later(app.hang_up if _give_up_terminal() else app.leave)  # noqa: E731
            await app.run_async()
            return app.return_code or 0
        except asyncio.CancelledError:  # a signal arrived before there was a screen
            return 0
        finally:
            leave = control.kill
            await _end(control)


def _give_up_terminal() -> bool:
    """True when the terminal is gone (closed, SSH dropped); output then goes to /dev/null."""
    try:
        os.tcgetpgrp(sys.__stderr__.fileno() if sys.__stderr__ else 2)
    except OSError:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            for descriptor in (1, 2):
                os.dup2(nowhere.fileno(), descriptor)
        return True
    return False


async def _end(control: Control) -> None:
    """Stop pytest if the screen has not: after a crash, or before there was a screen."""
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
