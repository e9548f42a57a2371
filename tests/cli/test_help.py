"""What `--help` shows at the width of an ordinary terminal."""

import click
import pytest
from click.testing import CliRunner

from tdd_monitor.cli import main


def helped(*words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("group", [(), ("postgres",)])
def test_each_command_has_its_whole_line(group: tuple[str, ...]) -> None:
    command = main
    for word in group:
        found = command.commands[word]
        assert isinstance(found, click.Group)
        command = found
    listed = helped(*group).partition("Commands:")[2].split("\n")
    lines = [line.strip() for line in listed if line.strip()]
    assert [line.split()[0] for line in lines] == sorted(command.commands)
    assert all(line.endswith(".") and not line.endswith("...") for line in lines), lines


@pytest.mark.parametrize("command", ["watch", "run"])
def test_what_follows_two_dashes_is_explained(command: str) -> None:
    assert "Everything after `--` is passed to pytest" in helped(command)
