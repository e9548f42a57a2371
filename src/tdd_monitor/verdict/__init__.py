"""Judges the measurements: pure functions from the session's state to alerts."""

from tdd_monitor.config import Severity

from .alerts import Alert
from .board import Board

__all__ = ["Alert", "Board", "Severity"]
