"""`tdd-monitor baseline`: what tests are compared with, and how to accept what a run measured."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import click

from tdd_monitor.config import Settings
from tdd_monitor.figures import plural
from tdd_monitor.history.committed import CommittedBaseline
from tdd_monitor.history.database import HistoryError
from tdd_monitor.history.project import ProjectHistory
from tdd_monitor.history.rows import Figures, Result, RunRow

from .node_ids import the_one
from .project import settings_here


class Current(NamedTuple):
    """The newest full run, what it measured, and what it is compared with."""

    history: ProjectHistory
    committed: CommittedBaseline
    run: RunRow
    results: Mapping[str, Result]
    accepted: Mapping[str, Figures]


@click.group()
def baseline() -> None:
    """Show or accept what tests are compared with.

    Counts (queries, DDL statements, peak pool use, leaks) are the same on every machine: they go into
    tdd_performance_baseline.json, which is meant to be committed. Durations go into the history.
    """


@baseline.command()
@click.argument("test", required=False, default="")
def show(test: str) -> None:
    """Show the baseline of all tests, or of those with TEST in their names."""
    from tdd_monitor.reports import baseline as report
    from tdd_monitor.reports.output import make_console

    with _current(settings_here()) as current:
        chosen = {nodeid: figures for nodeid, figures in current.accepted.items() if test in nodeid}
        if not chosen:
            raise click.ClickException(
                "No baseline yet: 'tdd-monitor baseline update' accepts the last full run."
            )
        committed = current.committed.counts().keys()
        report.print_accepted(chosen, committed, str(current.run.environment), make_console())


@baseline.command()
def diff() -> None:
    """Show how the last full run differs from the baseline."""
    from tdd_monitor.reports import baseline as report
    from tdd_monitor.reports.output import make_console

    with _current(settings_here()) as current:
        report.print_differences(current.results, current.accepted, make_console())


@baseline.command()
def update() -> None:
    """Accept the figures of all tests that passed in the last full run."""
    with _current(settings_here()) as current:
        _accept(current, list(current.results), all_tests=True)


@baseline.command()
@click.argument("test")
def accept(test: str) -> None:
    """Accept the figures of TEST in the last full run. TEST is a node id or a part of one."""
    with _current(settings_here()) as current:
        _accept(current, [the_one(test, sorted(current.results))], all_tests=False)


def _accept(current: Current, nodeids: Sequence[str], all_tests: bool) -> None:
    found = [
        (nodeid, current.results[nodeid].figures) for nodeid in nodeids if current.results[nodeid].comparable
    ]
    if not found:
        raise click.ClickException("Nothing to accept: no test passed at its first attempt.")
    current.committed.accept(found, all_tests)
    current.history.accept(current.run.environment, current.run.commit, found, time.time())
    click.echo(
        f"Accepted {plural(len(found), 'test')}. Commit {current.committed.path.name} to share the counts."
    )


@contextmanager
def _current(settings: Settings) -> Iterator[Current]:
    """Raises ClickException if there is no full run yet, or the history or the baseline cannot be used."""
    try:
        history = ProjectHistory(settings.root, settings.history_url)
        try:
            store = history.reader()
            run = next((run for run in store.runs() if run.scope == "all"), None)
            if run is None:
                raise click.ClickException("No full run yet. 'tdd-monitor run' makes one.")
            committed = CommittedBaseline(settings.root)
            accepted = committed.added_to(history.baseline(run.environment, "all").accepted)
            results = {result.nodeid: result for result in store.results(run)}
            yield Current(history, committed, run, results, accepted)
        finally:
            history.close()
    except HistoryError as error:
        raise click.ClickException(str(error)) from error
