"""`tdd-monitor run`: runs the tests without a screen, for CI and scripts."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tdd_monitor.config import GateSettings
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.pytest_process.crash_output import timeout_stacks
from tdd_monitor.runner.stream.server import ServerError

from .errors import UsageError
from .options import PytestCommand, make_engine, pytest_options
from .project import settings_here

if TYPE_CHECKING:
    from tdd_monitor.verdict.gate import GateVerdict


@click.command(cls=PytestCommand)
@pytest_options
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the report to FILE as JSON.",
)
@click.option(
    "--gate",
    is_flag=True,
    help="Also check the limits of [tool.tdd-monitor.gate]: exit with 3 if one is exceeded, "
    "with 4 if one could not be measured.",
)
def run(
    paths: tuple[str, ...], python: str, record: Path | None, memory: str, json_file: Path | None, gate: bool
) -> None:
    """Run the tests once without a screen and print a summary. Exits with pytest's exit code.

    Everything after `--` is passed to pytest: tdd-monitor run tests/ --json out.json -- -n 4
    """
    sys.exit(execute(make_engine(settings_here(), paths, python, record, memory), json_file, gate))


def execute(engine: Engine, json_file: Path | None = None, gate: bool = False) -> int:
    """Run once, write the JSON, print progress and summary; returns the exit code.

    With `gate`, a successful run ends with the gate's exit code. Raises UsageError, and ClickException when
    the JSON cannot be written.
    """
    from tdd_monitor.reports import console as report
    from tdd_monitor.reports import json as json_report
    from tdd_monitor.reports.output import make_console

    console = make_console()
    reporter = report.Reporter(engine.board, console)
    engine.subscribe(reporter.on_delta)
    try:
        with reporter:
            code = asyncio.run(run_headless(engine))
    except ServerError as error:
        raise UsageError(str(error)) from error
    document = json_report.document(engine.board, code) if gate or json_file is not None else {}
    verdict = _judge(document, engine.settings.gate) if gate else None
    # Before the summary, so that the file exists even if printing fails.
    problem = _write_json(document, verdict, json_file) if json_file is not None else ""
    output = list(engine.output)
    report.summary(engine.board, console, code, [*timeout_stacks(output), *engine.notices], output)
    if verdict is not None:
        from tdd_monitor.reports.gate import print_gate

        print_gate(verdict, console)
        code = code or verdict.exitcode
    if problem:
        raise click.ClickException(problem)
    return code


def _judge(document: dict[str, Any], settings: GateSettings) -> "GateVerdict":
    from tdd_monitor.verdict.gate import evaluate

    return evaluate(document, settings)


def _write_json(document: dict[str, Any], verdict: "GateVerdict | None", file: Path) -> str:
    from tdd_monitor.reports import gate as gate_report
    from tdd_monitor.reports import json as json_report

    document["gate"] = gate_report.document(verdict) if verdict is not None else None
    try:
        json_report.write(document, file)
    except OSError as error:
        return f"Cannot write {file}: {error.strerror}."
    return ""
