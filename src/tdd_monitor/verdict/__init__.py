"""What to think of the figures: pure functions from state to verdict."""

from tdd_monitor.config import Severity

from .alerts import Alert
from .board import Board

__all__ = ["Alert", "Board", "Severity"]
