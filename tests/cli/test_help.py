"""What `--help` shows at the width of an ordinary terminal."""

import importlib
import pkgutil

import click
import pytest
from click.testing import CliRunner

from tdd_monitor import cli
from tdd_monitor.cli import main


def helped(*words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("group", [(), ("postgres",)])
def test_each_command_has_its_whole_line(group: tuple[str, ...]) -> None:
    command: click.Group = main
    context = click.Context(main)
    for word in group:
        found = command.get_command(context, word)
        assert isinstance(found, click.Group)
        command = found
    listed = helped(*group).partition("Commands:")[2].split("\n")
    lines = [line.strip() for line in listed if line.strip()]
    assert [line.split()[0] for line in lines] == command.list_commands(context)
    assert all(line.endswith(".") and not line.endswith("...") for line in lines), lines


@pytest.mark.parametrize("command", ["watch", "run"])
def test_what_follows_two_dashes_is_explained(command: str) -> None:
    assert "Everything after `--` is passed to pytest" in helped(command)


def test_every_module_that_defines_a_command_is_listed() -> None:
    context, defined = click.Context(main), []
    for found in pkgutil.iter_modules(cli.__path__):
        command = getattr(importlib.import_module(f"{cli.__name__}.{found.name}"), found.name, None)
        if isinstance(command, click.Command):
            defined.append(found.name)
            assert main.get_command(context, found.name) is command
    assert defined == main.list_commands(context)
    assert main.get_command(context, "options") is None


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["options"])
    assert result.exit_code == 2
    assert "No such command 'options'" in result.output
