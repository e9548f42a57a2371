"""`tdd-monitor replay`: shows a recording on the live screen."""

from pathlib import Path

import click

from tdd_monitor.history.recording import RecordingError
from tdd_monitor.runner.replay import Replay

from .errors import UsageError
from .project import settings_here
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
def replay(file: Path, speed: float, at_once: bool) -> None:
    """Replay a recording made with --record."""
    settings = settings_here()
    try:
        control = Replay(settings, file, None if at_once else speed)
    except RecordingError as error:
        raise UsageError(str(error)) from error
    show(control, settings)
