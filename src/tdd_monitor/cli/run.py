"""`tdd-monitor run`: runs the tests without a screen, for CI and scripts."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tdd_monitor.config import GateSettings
from tdd_monitor.config.gate import FAIL, GATE_FAILED
from tdd_monitor.reports import formats
from tdd_monitor.runner.engine import Engine
from tdd_monitor.runner.headless import run_headless
from tdd_monitor.runner.pytest_process.crash_output import timeout_stacks
from tdd_monitor.runner.stream.server import ServerError

from .agents import detected
from .errors import UsageError
from .options import PytestCommand, make_engine, pytest_options
from .project import settings_here
from .reporting import json_option, report_option, requested, show_problems

if TYPE_CHECKING:
    from rich.console import Console

    from tdd_monitor.verdict.gate import GateVerdict


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run without a screen does beside running the tests."""

    reports: Sequence[formats.Request] = ()
    gate: bool = False  # a successful run ends with the gate's exit code
    confirm: bool = False  # measure suspected tests again; also done if a regression would fail the gate
    agent: bool = False  # print the report for coding agents instead of progress and summary
    reruns: int = 0  # how often to measure again before the gate fails


class Measured(NamedTuple):
    """A run that has ended, and what the gate says about it."""

    engine: Engine
    code: int  # pytest's
    output: list[str]
    notices: list[str]
    document: dict[str, Any]
    verdict: "GateVerdict | None"

    @property
    def breached(self) -> bool:
        """The tests passed and the gate failed: another measurement may be within the limits."""
        return self.verdict is not None and self.code == 0 and self.verdict.exitcode == GATE_FAILED


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
    "--reruns-on-breach",
    "reruns",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Run all tests again, up to N times, before the gate fails.",
)
@click.option(
    "--confirm",
    is_flag=True,
    help="Run tests that are suspected of having become slower again, in fresh processes.",
)
@click.option(
    "--agent/--no-agent",
    default=None,
    help="Print a short report for coding agents instead of the summary. Default: if the output is no "
    "terminal and an agent's environment variable is set.",
)
def run(
    paths: tuple[str, ...],
    reports: tuple[formats.Request, ...],
    gate: bool,
    reruns: int,
    confirm: bool,
    agent: bool | None,
    **engine_options: Any,
) -> None:
    """Run the tests once without a screen and print a summary. Exits with pytest's exit code.

    Everything after `--` is passed to pytest: tdd-monitor run tests/ --report junit=out.xml -- -n 4
    """
    engine = make_engine(settings_here(), paths, **engine_options)
    for_agent = _is_for_agent() if agent is None else agent
    sys.exit(execute(engine, Wanted(requested(reports), gate, confirm, for_agent, reruns)))


def _is_for_agent() -> bool:
    found = detected(os.environ, sys.stdout.isatty())
    if found:
        click.echo(f"Report for coding agents, because {found} is set. --no-agent prints the full one.")
    return bool(found)


def execute(engine: Engine, wanted: Wanted | None = None) -> int:
    """Run once, write the reports, print progress and summary; returns the exit code. Raises UsageError."""
    from tdd_monitor.reports import console as report
    from tdd_monitor.reports.gate import print_gate
    from tdd_monitor.reports.output import make_console, print_text

    wanted, console = wanted or Wanted(), make_console()
    measured = _measure(engine, wanted, console)
    for number in range(1, wanted.reruns + 1):
        if not measured.breached:
            break
        if not wanted.agent:
            console.print(f"The gate failed. Measuring again: {number} of {wanted.reruns}", highlight=False)
        measured = _measure(Engine(engine.settings, engine.target), wanted, console)
    engine, code, output, notices, document, verdict = measured
    # Before the summary, so that the files exist even if printing fails.
    problems = formats.write(document, [each for each in wanted.reports if not each.to_stdout])
    if wanted.agent:
        print_text(formats.render("agent", document))
    else:
        report.summary(engine.board, console, code, notices, output)
        if verdict is not None:
            print_gate(verdict, console)
    problems += formats.write(document, [each for each in wanted.reports if each.to_stdout])
    return show_problems(problems, code or (verdict.exitcode if verdict is not None else 0))


def _measure(engine: Engine, wanted: Wanted, console: "Console") -> Measured:
    from tdd_monitor.reports.console import Reporter

    with contextlib.ExitStack() as live:
        if not wanted.agent:
            reporter = Reporter(engine.board, console)
            engine.subscribe(reporter.on_delta)
            live.enter_context(reporter)
        code = _run(engine)
    if wanted.confirm or (wanted.gate and engine.settings.gate.regressions == FAIL):
        _confirm(engine, lambda text: None if wanted.agent else console.print(text, highlight=False))
    output = list(engine.output)
    notices = [*timeout_stacks(output), *engine.notices]
    document = _document(engine, code, notices, output) if wanted != Wanted() else {}
    verdict = _judge(document, engine.settings.gate) if wanted.gate else None
    return Measured(engine, code, output, notices, document, verdict)


def _run(engine: Engine) -> int:
    try:
        return asyncio.run(run_headless(engine))
    except ServerError as error:
        raise UsageError(str(error)) from error


def _document(engine: Engine, code: int, notices: Sequence[str], output: Sequence[str]) -> dict[str, Any]:
    from tdd_monitor.reports import json as json_report

    around = json_report.Surroundings(notices, output, str(engine.target.cwd))
    return json_report.document(engine.board, code, around)


def _confirm(engine: Engine, progress: Callable[[str], None]) -> None:
    from tdd_monitor.runner.confirmation import confirm

    try:
        asyncio.run(confirm(engine.settings, engine.target, engine.board, progress))
    except ServerError as error:
        raise UsageError(str(error)) from error


def _judge(document: dict[str, Any], settings: GateSettings) -> "GateVerdict":
    """The verdict of the gate, which becomes part of the document."""
    from tdd_monitor.reports import gate as gate_report
    from tdd_monitor.verdict.gate import evaluate

    verdict = evaluate(document, settings)
    document["gate"] = gate_report.document(verdict)
    return verdict
