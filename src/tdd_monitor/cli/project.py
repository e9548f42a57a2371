"""The project in the working directory."""

from pathlib import Path

from tdd_monitor.config import ConfigError, Settings, load

from .errors import UsageError


def settings_here(start: Path | None = None) -> Settings:
    """Settings of the project in the working directory. Raises UsageError."""
    try:
        return load(start or Path.cwd())
    except ConfigError as error:
        raise UsageError(str(error)) from error
