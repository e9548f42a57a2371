"""The style sheets of the screen."""

from pathlib import Path

from tdd_monitor import stylesheets


def css_paths() -> list[Path]:
    """All style sheets, in loading order."""
    return stylesheets.find("*.tcss")
