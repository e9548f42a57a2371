"""The command line: one module per command."""

import io
import os
import sys
from importlib import import_module

import click

from tdd_monitor import __version__

# Each is defined in the module of the same name.
COMMANDS = ("baseline", "bench", "demo", "gate", "history", "postgres", "replay", "run", "watch")


class LazyGroup(click.Group):
    """Imports the module of a command only when it is called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command with this name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="tdd-monitor")
def main() -> None:
    """A live performance monitor for pytest, in the terminal."""
    _repair_standard_streams()


def _repair_standard_streams() -> None:
    """Open closed standard streams on /dev/null, and escape characters that output cannot encode."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Otherwise the next opened file would get this descriptor, and all output with it.
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
