"""`tdd-monitor history`: earlier runs, and how one test developed."""

import click

from tdd_monitor.history.database import HistoryError
from tdd_monitor.history.project import ProjectHistory
from tdd_monitor.history.rows import RunRow
from tdd_monitor.history.store import RUNS_KEPT

from .node_ids import the_one
from .project import settings_here


@click.command()
@click.argument("test", required=False)
@click.option(
    "--limit",
    type=click.IntRange(1, RUNS_KEPT),
    default=20,
    show_default=True,
    help="Number of runs to show.",
)
def history(test: str | None, limit: int) -> None:
    """Show earlier runs, or how one test changed.

    TEST is a node id or a part of one. Its figures in each run are shown, the commits that changed them, and
    whether it is flaky. A "+" after a commit stands for uncommitted changes.
    """
    from rich.text import Text

    from tdd_monitor.reports import history as report
    from tdd_monitor.reports.output import make_console
    from tdd_monitor.verdict import trends

    console, settings = make_console(), settings_here()
    try:
        project = ProjectHistory(settings.root, settings.history_url)
        store = project.reader()
        for notice in project.notices:
            console.print(Text(notice, "yellow"), soft_wrap=True)
        if test is None:
            report.print_runs(_some(store.runs(limit)), console)
        else:
            nodeid = the_one(test, store.node_ids())
            report.print_test(nodeid, trends.of_test(store.of_test(nodeid)), console, limit)
        project.close()
    except HistoryError as error:
        raise click.ClickException(str(error)) from error


def _some(runs: list[RunRow]) -> list[RunRow]:
    """The runs. Raises ClickException if there are none."""
    if not runs:
        raise click.ClickException("No runs yet. 'tdd-monitor run' and 'tdd-monitor watch' add them.")
    return runs
