"""Usage errors of the commands."""

import click

USAGE_ERROR = 4  # pytest's exit code for usage errors


class UsageError(click.ClickException):
    """An invalid option, argument or setting."""

    exit_code = USAGE_ERROR
