"""`tdd-monitor run`: the same engine without a screen, for CI and scripts."""

import asyncio
import sys
from pathlib import Path

import click

from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.server import ServerError

from .options import PytestCommand, UsageError, make_engine, pytest_options, settings_here


@click.command(cls=PytestCommand)
@pytest_options
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the final state to FILE.",
)
def run(
    paths: tuple[str, ...], python: str, record: Path | None, memory: str, json_file: Path | None
) -> None:
    """Run the tests in PATHS once and print what they cost. Exits with pytest's exit code.

    What stands behind '--' goes to pytest unchanged: tdd-monitor run tests/ --json out.json -- -n 4
    """
    engine = make_engine(settings_here(), paths, python, record, memory)
    code = execute(engine)
    if json_file is not None:
        from tdd_monitor.reports import json as json_report

        try:
            json_report.write(engine.board, code, json_file)
        except OSError as error:
            raise click.ClickException(f"Cannot write {json_file}: {error.strerror}.") from error
    sys.exit(code)


def execute(engine: Engine) -> int:
    """Run once, print progress and summary; returns the exit code. Raises UsageError."""
    from tdd_monitor.reports import console as report

    console = report.make_console()
    reporter = report.Reporter(engine.board, console)
    engine.subscribe(reporter.on_delta)
    try:
        with reporter:
            code = asyncio.run(run_headless(engine))
    except ServerError as error:
        raise UsageError(str(error)) from error
    report.summary(engine.board, console, code, list(engine.notices))
    return code
