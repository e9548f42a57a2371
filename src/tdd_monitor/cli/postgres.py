"""`tdd-monitor postgres`: look at the embedded server, talk to it, stop it, start afresh."""

import os
import subprocess
import sys

import click

from .options import UsageError


@click.group()
def postgres() -> None:
    """The embedded PostgreSQL: one server for all projects of this user.

    It starts when somebody needs it and stops by itself when nobody does.
    """


@postgres.command()
def status() -> None:
    """Tell whether it runs, where, and for whom. Exits with 3 when it does not run, as pg_ctl does."""
    from tdd_monitor.testing.postgres import EmbeddedPostgresError, server_status

    try:
        state = server_status()
    except EmbeddedPostgresError as error:
        raise UsageError(str(error)) from error
    if state.running:
        users = ", ".join(str(pid) for pid in sorted(set(state.users))) or "none"
        click.echo(f"running: PostgreSQL {state.version}, process {state.pid}, used by processes: {users}")
        click.echo(f"url: {state.address.url() if state.address else ''}")
    else:
        click.echo("not running")
    click.echo(f"data: {state.data_directory}")
    click.echo(f"log: {state.log_file}")
    click.echo(f"binaries: {state.binaries or 'none found: pip install tdd-monitor[postgres]'}")
    sys.exit(0 if state.running else 3)


@postgres.command()
@click.argument("database", default="postgres")
def url(database: str) -> None:
    """Start it if need be, print its URL, and keep it up until Ctrl+C.

    The URL goes to standard output alone, so that a script can read it.
    """
    from tdd_monitor.testing.postgres import EmbeddedPostgresError, acquire_server

    try:
        with acquire_server(on_progress=lambda text: click.echo(text, err=True)) as lease:
            click.echo(lease.address.url(database))
            if sys.stdin.isatty():
                click.echo("The server stays up until Ctrl+C.", err=True)
                click.pause(info="")
    except EmbeddedPostgresError as error:
        raise UsageError(str(error)) from error
    except KeyboardInterrupt:
        pass


@postgres.command()
@click.argument("database", default="postgres")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(database: str, arguments: tuple[str, ...]) -> None:
    """Open psql on DATABASE; ARGUMENTS behind -- go to psql."""
    from tdd_monitor.testing.postgres import EmbeddedPostgresError, acquire_server, find_binaries

    try:
        program = find_binaries().program("psql")
        with acquire_server(on_progress=lambda text: click.echo(text, err=True)) as lease:
            done = subprocess.run(
                [str(program), lease.address.url(database), *arguments], env=os.environ, check=False
            )
    except (EmbeddedPostgresError, OSError) as error:
        raise UsageError(str(error)) from error
    sys.exit(done.returncode)


@postgres.command()
def stop() -> None:
    """Stop it, also under its users."""
    from tdd_monitor.testing.postgres import EmbeddedPostgresError, stop_server

    try:
        click.echo("stopped" if stop_server() else "was not running")
    except EmbeddedPostgresError as error:
        raise UsageError(str(error)) from error


@postgres.command()
@click.confirmation_option(prompt="This deletes every database of the embedded server. Go on?")
def reset() -> None:
    """Stop it and delete all its databases; the next start makes a new cluster."""
    from tdd_monitor.testing.postgres import EmbeddedPostgresError, reset_server

    try:
        click.echo(f"deleted {reset_server()}")
    except EmbeddedPostgresError as error:
        raise UsageError(str(error)) from error
