"""`tdd-monitor run`: runs the tests without a screen, for CI and scripts."""

import asyncio
import sys
from pathlib import Path

import click

from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.pytest_process.crash_output import timeout_stacks
from tdd_monitor.runner.stream.server import ServerError

from .errors import UsageError
from .options import PytestCommand, make_engine, pytest_options, settings_here


@click.command(cls=PytestCommand)
@pytest_options
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the report to FILE as JSON.",
)
def run(
    paths: tuple[str, ...], python: str, record: Path | None, memory: str, json_file: Path | None
) -> None:
    """Run the tests once without a screen and print a summary. Exits with pytest's exit code.

    Everything after `--` is passed to pytest: tdd-monitor run tests/ --json out.json -- -n 4
    """
    sys.exit(execute(make_engine(settings_here(), paths, python, record, memory), json_file))


def execute(engine: Engine, json_file: Path | None = None) -> int:
    """Run once, write the JSON, print progress and summary; returns the exit code.

    Raises UsageError, and ClickException when the JSON cannot be written.
    """
    from tdd_monitor.reports import console as report
    from tdd_monitor.reports.output import make_console

    console = make_console()
    reporter = report.Reporter(engine.board, console)
    engine.subscribe(reporter.on_delta)
    try:
        with reporter:
            code = asyncio.run(run_headless(engine))
    except ServerError as error:
        raise UsageError(str(error)) from error
    # Before the summary, so that the file exists even if printing fails.
    problem = _write_json(engine, code, json_file) if json_file is not None else ""
    output = list(engine.output)
    report.summary(engine.board, console, code, [*timeout_stacks(output), *engine.notices], output)
    if problem:
        raise click.ClickException(problem)
    return code


def _write_json(engine: Engine, code: int, file: Path) -> str:
    from tdd_monitor.reports import json as json_report

    try:
        json_report.write(engine.board, code, file)
    except OSError as error:
        return f"Cannot write {file}: {error.strerror}."
    return ""
