"""`tdd-monitor gate`: judges a JSON report that `run` wrote."""

import json
import sys
from pathlib import Path

import click

from tdd_monitor.config.gate import NOT_MEASURED
from tdd_monitor.verdict import gate as verdicts

from .project import settings_here


class NotMeasuredError(click.ClickException):
    """There is no report to judge."""

    exit_code = NOT_MEASURED


@click.command()
@click.argument("report", type=click.Path(dir_okay=False, path_type=Path))
def gate(report: Path) -> None:
    """Check a JSON report of 'run' against the limits of the gate.

    The limits are those of [tool.tdd-monitor.gate]. Exits with 0 if all checks pass, 3 if one fails, 4 if one
    could not be measured. If tests failed, the exit code is that of the run.
    """
    from tdd_monitor.reports.gate import print_gate
    from tdd_monitor.reports.json import VERSION
    from tdd_monitor.reports.output import make_console

    settings = settings_here().gate
    try:
        document = json.loads(report.read_text(encoding="utf-8"))
        version = document.get("version", 0)  # older reports have none
        if version > VERSION:
            raise NotMeasuredError(f"{report} has version {version}; this tdd-monitor reads up to {VERSION}.")
        verdict, exitcode = verdicts.evaluate(document, settings), int(document["exitcode"])
    except OSError as error:
        raise NotMeasuredError(f"Cannot read {report}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotMeasuredError(f"{report} is not a report of 'tdd-monitor run --json'.") from error
    print_gate(verdict, make_console())
    sys.exit(exitcode or verdict.exitcode)
