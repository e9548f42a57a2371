"""The options that choose reports, and the exit code of a command that could not write one."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from tdd_monitor.reports.formats import FORMATS, FormatError, Request, parse

from .errors import UsageError

NOT_WRITTEN = 1  # exit code, unless pytest's says more


def _parse(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> tuple[Request, ...]:
    try:
        return tuple(map(parse, values))
    except FormatError as error:
        raise UsageError(str(error)) from error


def report_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--report FORMAT=FILE`, any number of times."""
    return click.option(
        "--report",
        "reports",
        metavar="FORMAT=FILE",
        callback=_parse,
        multiple=True,
        help=f"Write a report to FILE, '-' for standard output. FORMAT: {', '.join(FORMATS)}. Repeatable.",
    )(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--json FILE`, the same as `--report json=FILE`; see `requested`."""
    return click.option(
        "--json",
        type=click.Path(dir_okay=False),
        callback=_keep_json,
        expose_value=False,
        help="The same as --report json=FILE.",
    )(function)


def _keep_json(ctx: click.Context, param: click.Parameter, file: str | None) -> None:
    ctx.meta["json"] = [Request("json", file)] if file else []


def requested(reports: Sequence[Request]) -> tuple[Request, ...]:
    """The reports of the current command line, that of `--json` included."""
    return (*click.get_current_context().meta["json"], *reports)


def show_problems(problems: Sequence[str], exitcode: int) -> int:
    """Print what could not be written; returns the exit code of the command."""
    for problem in problems:
        click.echo(f"Error: {problem}", err=True)
    return exitcode or (NOT_WRITTEN if problems else 0)
