"""`tdd-monitor history`: earlier runs, and how one test developed."""

import click

from tdd_monitor.history.database import HistoryError
from tdd_monitor.history.project import ProjectHistory
from tdd_monitor.history.rows import RunRow
from tdd_monitor.history.store import RUNS_KEPT

from .project import settings_here

MAX_SUGGESTIONS = 20


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
            nodeid = _the_one(test, store.node_ids())
            report.print_test(nodeid, trends.of_test(store.of_test(nodeid)), console, limit)
        project.close()
    except HistoryError as error:
        raise click.ClickException(str(error)) from error


def _some(runs: list[RunRow]) -> list[RunRow]:
    """The runs. Raises ClickException if there are none."""
    if not runs:
        raise click.ClickException("No runs yet. 'tdd-monitor run' and 'tdd-monitor watch' add them.")
    return runs


def _the_one(test: str, nodeids: list[str]) -> str:
    """The node id that equals or contains `test`. Raises ClickException unless there is exactly one."""
    found = [nodeid for nodeid in nodeids if test in nodeid]
    if test in found or len(found) == 1:
        return test if test in found else found[0]
    if not found:
        raise click.ClickException(f"No test with {test!r} in its name has run in this project.")
    shown = "\n".join(f"  {nodeid}" for nodeid in found[:MAX_SUGGESTIONS])
    more = f"\n  and {len(found) - MAX_SUGGESTIONS} more" if len(found) > MAX_SUGGESTIONS else ""
    raise click.ClickException(f"{len(found)} tests have {test!r} in their names:\n{shown}{more}")
