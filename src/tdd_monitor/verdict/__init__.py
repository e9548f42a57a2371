"""What to think of the figures: pure functions from state to verdict."""

from .alerts import Alert, Severity
from .board import Board

__all__ = ["Alert", "Board", "Severity"]
