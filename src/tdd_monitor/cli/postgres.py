"""`tdd-monitor postgres`: inspect, use, stop and reset the embedded server."""

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import click

from .errors import UsageError
from .readers import readers_of_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from tdd_monitor.testing.postgres import ServerAddress

Command = tuple[str, ...]

# The exit codes of env, nohup and the shells.
_NOT_FOUND = 127
_NOT_RUNNABLE = 126


@click.group()
def postgres() -> None:
    """Manage the embedded PostgreSQL server.

    All projects of this user share one server. It starts on demand and stops when no longer in use.
    """


@postgres.command()
def status() -> None:
    """Show whether the server is running. Exits with 3 if it is not, as pg_ctl does."""
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
    """Start the server if needed and print its URL.

    On a terminal, the server stays up until Ctrl+C. Otherwise, it stays up until the shell or program
    that reads the URL exits, as in: psql "$(tdd-monitor postgres url)"

    Only the URL goes to standard output. For a single command, prefer `postgres run`.
    """
    from tdd_monitor.testing.postgres import EmbeddedPostgresError, acquire_server

    try:
        with acquire_server(on_progress=lambda text: click.echo(text, err=True)) as lease:
            if sys.stdout.isatty():
                click.echo(lease.address.url(database))
                click.echo("The server stays up until you press Ctrl+C.", err=True)
                lease.wait()
                click.echo("The server was stopped.", err=True)
            else:
                _hold_for_readers()
                click.echo(lease.address.url(database))
    except EmbeddedPostgresError as error:
        raise UsageError(str(error)) from error
    except KeyboardInterrupt:
        pass


def _hold_for_readers() -> None:
    from tdd_monitor.testing.postgres import ProcessWatchError, hold_for

    reason = "nothing reads the URL"
    held = False
    for reader in readers_of_output():
        try:
            hold_for(reader)
            held = True
        except ProcessWatchError as error:
            reason = str(error)
    if not held:
        click.echo(
            f"The server stops shortly unless something else uses it: {reason}. Use"
            " `tdd-monitor postgres run -- COMMAND` instead.",
            err=True,
        )


@postgres.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--database", default="postgres", show_default=True, help="Database to connect COMMAND to.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(database: str, command: tuple[str, ...]) -> None:
    """Run COMMAND with the server up, and exit with its exit code.

    Starts the server if needed. COMMAND gets DATABASE_URL, PGHOST, PGPORT, PGUSER and PGDATABASE; no other
    PG* variable is passed on. TDD_MONITOR_DATABASE_URL is left alone: the toolkit uses this server anyway.

    Example: tdd-monitor postgres run -- python manage.py migrate
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    _run_with_server(lambda address: (command, {**kept, **address.environment(database)}))


@postgres.command()
@click.argument("database", default="postgres")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(database: str, arguments: tuple[str, ...]) -> None:
    """Open psql on DATABASE.

    Everything after `--` is passed to psql."""
    from tdd_monitor.testing.postgres import EmbeddedPostgresError, find_binaries

    try:
        program = str(find_binaries().program("psql"))
    except EmbeddedPostgresError as error:
        raise UsageError(str(error)) from error
    _run_with_server(lambda address: ((program, address.url(database), *arguments), dict(os.environ)))


def _run_with_server(prepare: "Callable[[ServerAddress], tuple[Command, dict[str, str]]]") -> None:
    """Run a command in its environment while the server is up, and exit with its exit code."""
    from tdd_monitor.testing.postgres import (
        EmbeddedPostgresError,
        ProcessWatchError,
        acquire_server,
        hold_for,
    )

    try:
        with acquire_server(on_progress=lambda text: click.echo(text, err=True)) as lease:
            command, environment = prepare(lease.address)
            try:
                hold_for(os.getpid())
                start = _exec
            except ProcessWatchError:
                start = _run_child
            try:
                start(command, environment)
            except OSError as error:
                click.echo(f"Error: Cannot run {command[0]}: {error.strerror}", err=True)
                sys.exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUNNABLE)
    except EmbeddedPostgresError as error:
        raise UsageError(str(error)) from error


def _exec(command: Command, environment: dict[str, str]) -> None:
    """Replace this process with the command, which then gets signals and the terminal directly."""
    # Python ignores these two, and ignored signals stay ignored across exec.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(signal.Signals[name], signal.SIG_DFL)
    os.execvpe(command[0], command, environment)


def _run_child(command: Command, environment: dict[str, str]) -> None:
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)


@postgres.command()
def stop() -> None:
    """Stop the server, even if it is in use."""
    from tdd_monitor.testing.postgres import EmbeddedPostgresError, stop_server

    try:
        click.echo("stopped" if stop_server() else "was not running")
    except EmbeddedPostgresError as error:
        raise UsageError(str(error)) from error


@postgres.command()
@click.confirmation_option(prompt="This deletes every database of the embedded server. Continue?")
def reset() -> None:
    """Stop the server and delete all its databases.

    The next start creates a new cluster."""
    from tdd_monitor.testing.postgres import EmbeddedPostgresError, reset_server

    try:
        click.echo(f"deleted {reset_server()}")
    except EmbeddedPostgresError as error:
        raise UsageError(str(error)) from error
