"""The command line: one module a command."""

import click

from tdd_monitor import __version__

from .bench import bench
from .demo import demo
from .postgres import postgres
from .replay import replay
from .run import run
from .watch import watch


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tdd-monitor")
def main() -> None:
    """A live performance monitor for pytest, in the terminal."""


for command in (watch, run, demo, replay, bench, postgres):
    main.add_command(command)
