"""[tool.tdd-monitor] of pyproject.toml, read into frozen settings; severities of exceeded thresholds."""

from .gate import GateSettings
from .settings import ConfigError, Settings, Thresholds, load
from .severity import Severity, severity

__all__ = ["ConfigError", "GateSettings", "Settings", "Severity", "Thresholds", "load", "severity"]
