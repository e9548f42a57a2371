"""The command line: one module per command."""

import io
import os
import sys

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
    _repair_standard_streams()


def _repair_standard_streams() -> None:
    """Make standard streams usable that are closed or cannot encode every character."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Else the next opened file gets this descriptor, and prints end up in that file.
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


for command in (watch, run, demo, replay, bench, postgres):
    main.add_command(command)
