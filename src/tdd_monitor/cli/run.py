"""`tdd-monitor run`: runs the tests without a screen, for CI and scripts."""

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tdd_monitor.config import GateSettings
from tdd_monitor.config.gate import FAIL
from tdd_monitor.reports import formats
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.pytest_process.crash_output import timeout_stacks
from tdd_monitor.runner.stream.server import ServerError

from .errors import UsageError
from .options import PytestCommand, make_engine, pytest_options
from .project import settings_here
from .reporting import json_option, report_option, show_problems

if TYPE_CHECKING:
    from rich.console import Console

    from tdd_monitor.verdict.gate import GateVerdict


@click.command(cls=PytestCommand)
@pytest_options
@report_option
@json_option
@click.option(
    "--gate",
    is_flag=True,
    help="Also check the limits of [tool.tdd-monitor.gate]: exit with 3 if one is exceeded, "
    "with 4 if one could not be measured.",
)
@click.option(
    "--confirm",
    is_flag=True,
    help="Run tests that are suspected of having become slower again, in fresh processes.",
)
def run(
    paths: tuple[str, ...],
    reports: tuple[formats.Request, ...],
    json_file: str | None,
    gate: bool,
    confirm: bool,
    **engine_options: Any,
) -> None:
    """Run the tests once without a screen and print a summary. Exits with pytest's exit code.

    Everything after `--` is passed to pytest: tdd-monitor run tests/ --report junit=out.xml -- -n 4
    """
    if json_file is not None:
        reports = (formats.Request("json", json_file), *reports)
    sys.exit(execute(make_engine(settings_here(), paths, **engine_options), reports, gate, confirm))


def execute(
    engine: Engine, reports: Sequence[formats.Request] = (), gate: bool = False, confirm: bool = False
) -> int:
    """Run once, write the reports, print progress and summary; returns the exit code.

    With `gate`, a successful run ends with the gate's exit code. Suspected tests are measured again with
    `confirm`, or if a regression would fail the gate. Raises UsageError.
    """
    from tdd_monitor.reports import console as report
    from tdd_monitor.reports.output import make_console

    console = make_console()
    reporter = report.Reporter(engine.board, console)
    engine.subscribe(reporter.on_delta)
    try:
        with reporter:
            code = asyncio.run(run_headless(engine))
        if confirm or (gate and engine.settings.gate.regressions == FAIL):
            _confirm(engine, console)
    except ServerError as error:
        raise UsageError(str(error)) from error
    output = list(engine.output)
    notices = [*timeout_stacks(output), *engine.notices]
    document = _document(engine, code, notices, output) if gate or reports else {}
    verdict = _judge(document, engine.settings.gate) if gate else None
    # Before the summary, so that the files exist even if printing fails.
    problems = formats.write(document, [each for each in reports if not each.to_stdout])
    report.summary(engine.board, console, code, notices, output)
    if verdict is not None:
        from tdd_monitor.reports.gate import print_gate

        print_gate(verdict, console)
        code = code or verdict.exitcode
    problems += formats.write(document, [each for each in reports if each.to_stdout])
    return show_problems(problems, code)


def _document(engine: Engine, code: int, notices: Sequence[str], output: Sequence[str]) -> dict[str, Any]:
    from tdd_monitor.reports import json as json_report

    around = json_report.Surroundings(notices, output, str(engine.target.cwd))
    return json_report.document(engine.board, code, around)


def _confirm(engine: Engine, console: "Console") -> None:
    from tdd_monitor.runner.confirmation import confirm

    def progress(text: str) -> None:
        console.print(text, highlight=False)

    asyncio.run(confirm(engine.settings, engine.target, engine.board, progress))


def _judge(document: dict[str, Any], settings: GateSettings) -> "GateVerdict":
    """The verdict of the gate, which becomes part of the document."""
    from tdd_monitor.reports import gate as gate_report
    from tdd_monitor.verdict.gate import evaluate

    verdict = evaluate(document, settings)
    document["gate"] = gate_report.document(verdict)
    return verdict
