"""`tdd-monitor replay`: shows a recording on the live screen, or writes reports of it."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tdd_monitor.history.recording import RecordingError
from tdd_monitor.reports import formats
from tdd_monitor.runner.replay import Replay

from .errors import UsageError
from .project import settings_here
from .reporting import report_option, show_problems
from .watch import show


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--speed",
    type=click.FloatRange(min=0.01),
    default=1.0,
    show_default=True,
    help="Playback speed: 2 is twice as fast.",
)
@click.option("--at-once", is_flag=True, help="Skip to the end.")
@report_option
def replay(file: Path, speed: float, at_once: bool, reports: tuple[formats.Request, ...]) -> None:
    """Replay a recording made with --record.

    With --report, write reports of its last run instead of showing it.
    """
    settings = settings_here()
    try:
        control = Replay(settings, file, None if at_once or reports else speed)
    except RecordingError as error:
        raise UsageError(str(error)) from error
    if reports:
        sys.exit(_report(control, reports))
    show(control, settings)


def _report(control: Replay, reports: Sequence[formats.Request]) -> int:
    from tdd_monitor.reports import json as json_report

    asyncio.run(control.finished())
    run = control.board.session.run
    exitcode = 0
    if run is not None:
        exitcode = run.lost.exitcode if run.lost is not None else run.exitstatus or 0
    around = json_report.Surroundings(control.notices, control.output)
    return show_problems(formats.write(json_report.document(control.board, exitcode, around), reports), 0)
